package tick_test

import (
	"testing"
	"time"

	"github.com/tickstock/tickstream/pipeline/tick"
)

func TestDecodeTimestamp(t *testing.T) {
	at := func(nanos int) time.Time { return time.Date(2024, 10, 7, 11, 20, 0, nanos, time.UTC) }
	for literal, want := range map[string]time.Time{
		`1728300000`:                at(0), // seconds
		`1728300000.0`:              at(0),
		`1728300000.123`:            at(123e6),
		`1728300000.123456789`:      at(123456789),
		`1728300000.1234567885`:     at(123456788), // half to even
		`1728300000.1234567895`:     at(123456790),
		`1728300000.12345678850001`: at(123456789),
		`1.7283e9`:                  at(0),
		`1.728300000123E+9`:         at(123e6),
		`17283000001230e-4`:         at(123e6),
		`1728300000123`:             at(123e6), // milliseconds
		`1728300000123.456789`:      at(123456789),
		`1.728300000123e12`:         at(123e6),
		`1728300000123456`:          at(123456000), // microseconds
		`1728300000123456.789`:      at(123456789),
		`1728300000123456789`:       at(123456789), // nanoseconds
		`1728300000123456788.5`:     at(123456788),
		`1728300000123456789.5`:     at(123456790),
		`946684800`:                 time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		`946684800000`:              time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		`946684800000000`:           time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		`946684800000000000`:        time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),

		`"1728300000.123"`:                  at(123e6), // strings
		`"1.728300000123e12"`:               at(123e6),
		`"2024-10-07T11:20:00Z"`:            at(0),
		`"2024-10-07T11:20:00.123Z"`:        at(123e6),
		`"2024-10-07t11:20:00.5z"`:          at(500e6),
		`"2024-10-07T11:20:00.123456"`:      at(123456000), // Python's isoformat, UTC
		`"2024-10-07 11:20:00"`:             at(0),
		`"2024-10-07T07:20:00-04:00"`:       at(0),
		`"2024-10-07 16:50:00.25+0530"`:     at(250e6),
		`"2024-10-07T13:20:00+02"`:          at(0),
		`"2024-10-07T11:20:00\u002b00:00"`:  at(0),
		`"2024-10-07T11:19:59.9999999999Z"`: at(0),
		`"2024-10-06T12:20:00-23:00"`:       at(0),
		`"2024-02-29T00:00:00Z"`:            time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
		`"2000-01-01T00:00:00Z"`:            time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		if got := decode(t, with(`"timestamp":`+literal)); got.Time() != want {
			t.Errorf("timestamp %s is %v, want %v", literal, got.Time(), want)
		}
	}
}

func TestDecodeTimestampRefuses(t *testing.T) {
	for literal, want := range map[string]tick.Reason{
		`"2024-10-07"`:                     tick.TimestampUnreadable,
		`"2024-10-07T11:20Z"`:              tick.TimestampUnreadable,
		`"2024-10-07_11:20:00"`:            tick.TimestampUnreadable,
		`"2024/10/07 11:20:00"`:            tick.TimestampUnreadable,
		`"2024-10-07T11:20:00."`:           tick.TimestampUnreadable,
		`"2024-10-07T11:20:00,5Z"`:         tick.TimestampUnreadable,
		`"2024-10-07T11:20:00ZZ"`:          tick.TimestampUnreadable,
		`"2024-10-07T11:20:00 UTC"`:        tick.TimestampUnreadable,
		`"2024-10-07T11:20:00+1"`:          tick.TimestampUnreadable,
		`"2024-10-07T11:20:00+1:00"`:       tick.TimestampUnreadable,
		`"2024-10-07T11:20:00+0a:00"`:      tick.TimestampUnreadable,
		`"2024-10-07T11:20:00+24:00"`:      tick.TimestampUnreadable,
		`"2024-10-07T11:20:00+00:60"`:      tick.TimestampUnreadable,
		`"2024-13-07T11:20:00Z"`:           tick.TimestampUnreadable,
		`"2024-00-07T11:20:00Z"`:           tick.TimestampUnreadable,
		`"2024-06-31T11:20:00Z"`:           tick.TimestampUnreadable,
		`"2023-02-29T11:20:00Z"`:           tick.TimestampUnreadable,
		`"2024-10-00T11:20:00Z"`:           tick.TimestampUnreadable,
		`"2024-10-07T24:00:00Z"`:           tick.TimestampUnreadable,
		`"2024-10-07T11:60:00Z"`:           tick.TimestampUnreadable,
		`"2024-10-07T11:20:60Z"`:           tick.TimestampUnreadable,
		`" 2024-10-07T11:20:00Z"`:          tick.TimestampUnreadable,
		`"1728300000 "`:                    tick.TimestampUnreadable,
		`"NaN"`:                            tick.TimestampUnreadable,
		`"1999-12-31T23:59:59.999Z"`:       tick.TimestampAbsurd,
		`"0000-01-01T00:00:00Z"`:           tick.TimestampAbsurd,
		`"1969-12-31T23:59:59Z"`:           tick.TimestampAbsurd,
		`"2262-04-12T00:00:00Z"`:           tick.TimestampAbsurd,
		`"9999-12-31T23:59:59Z"`:           tick.TimestampAbsurd,
		`"-1728300000"`:                    tick.TimestampAbsurd,
		`"1e-400"`:                         tick.TimestampAbsurd,
		`99999999999`:                      tick.TimestampAbsurd, // the year 5138 as seconds
		`100000000000`:                     tick.TimestampAbsurd, // 1973 as milliseconds
		`9223372036854775808`:              tick.TimestampAbsurd,
		`1e-2147483648`:                    tick.TimestampAbsurd,
		`1e99999999999999999999`:           tick.TimestampAbsurd,
		`"2024-10-07T11:21:01.000000001Z"`: tick.TimestampFuture,
		`9223372036854775807`:              tick.TimestampFuture,
	} {
		var got tick.Tick
		err := newDecoder(t).Decode([]byte(with(`"timestamp":`+literal)), clock, &got)
		if refusal, ok := err.(*tick.Refusal); !ok || refusal.Reason != want {
			t.Errorf("timestamp %s: error %v, want %s", literal, err, want)
		}
	}
}
