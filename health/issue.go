package health

import (
	"slices"
	"strings"

	"github.com/tickstock/tickstream/health/cause"
	"github.com/tickstock/tickstream/health/observe"
)

const (
	// codeCalendar is the issue of a market calendar that has run out.
	codeCalendar = "calendar_ended"
	// codeNoSession explains why events name no session.
	codeNoSession = "no_session"
	// codeFailed is the issue of a component that has ended by an error.
	codeFailed = "component_failed"
)

// grave tells that operators are alerted of an issue.
func grave(issue observe.Issue) bool { return issue.Severity == observe.SeverityError }

func calendarIssue(err error) observe.Issue {
	return observe.Issue{
		Code: codeCalendar, Severity: observe.SeverityWarning, Component: "session",
		Sentence: "no session can start by the market's hours: " + err.Error(),
		Mend:     "give a calendar file that covers this year, or run with session mode always",
	}
}

// pauseIssue is no fault: sessions end.
func pauseIssue(why string) observe.Issue {
	return observe.Issue{
		Code: codeNoSession, Severity: observe.SeverityInfo, Component: "session",
		Sentence: "no session runs: " + why, Mend: "tickstream session start",
	}
}

func failureIssue(component string, err error) observe.Issue {
	return observe.Issue{
		Code: codeFailed, Severity: observe.SeverityError, Component: component,
		Sentence: component + " has ended, and this process with it: " + oneLine(err),
		Mend:     "do as it says, and start it again",
	}
}

// causesOf are the codes of the causes that a verdict blames, in order.
func causesOf(v observe.Verdict) []string {
	var codes []string
	for _, c := range cause.All() {
		if slices.ContainsFunc(v.Issues, func(i observe.Issue) bool { return i.Code == c.Code && i.Severity != observe.SeverityInfo }) {
			codes = append(codes, c.Code)
		}
	}
	return codes
}

// oneLine is err where each of several errors has a line of its own.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
