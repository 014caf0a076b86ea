package health

import "github.com/tickstock/tickstream/health/observe"

// grave tells that operators are alerted of an issue.
func grave(issue observe.Issue) bool { return issue.Severity == observe.SeverityError }

func calendarIssue(err error) observe.Issue {
	return observe.Issue{
		Code: codeCalendar, Severity: observe.SeverityWarning, Component: "session",
		Sentence: "no session can start by the market's hours: " + err.Error(),
		Mend:     "give a calendar file that covers this year, or run with session mode always",
	}
}
