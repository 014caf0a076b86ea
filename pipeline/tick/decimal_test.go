package tick_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/pipeline/tick"
)

func TestParseDecimal(t *testing.T) {
	for literal, want := range map[string]tick.Decimal{
		"0": 0, "-0": 0, "0.0": 0, "-0e9": 0, "0e999999999999": 0,
		"1": tick.One, "-1": -tick.One, "187.42": 187_420_000_000, "1e-7": 100, "1.5E3": 1500 * tick.One,
		"1E+2": 100 * tick.One, "100e-2": tick.One, "0.000000001": 1,
		"187.42000000000002": 187_420_000_000, "0.1000000000000000055511151231257827": 100_000_000,
		"0.0000000005": 0, "0.0000000015": 2, "0.0000000025": 2, "-0.0000000015": -2, // half to even
		"0.00000000050000000000000000000001": 1, "0.0000000014999999999999999999999": 1,
		"1.0000000005000000000000000000000": tick.One, "1.0000000005000000000000000000001": tick.One + 1,
		"9223372036.854775807": tick.MaxDecimal, "9223372036.8547758074999999": tick.MaxDecimal,
		"9223372036854775807e-9": tick.MaxDecimal, "-9223372036.854775808": math.MinInt64,
		"123456789.12345678949999999999999999": 123456789_123456789, "123456789.1234567895": 123456789_123456790,
		"0." + strings.Repeat("0", 400) + "1e401":           tick.One,
		"1" + strings.Repeat("0", 400) + "e-400":            tick.One,
		"123456789012345678901e-20":                         1_234_567_890,
		"1e-18446744073709551616":                           0, // 2^64
		"1e-1000000000000000000000":                         0,
		"0.00000000000000000000000000000000000000000000001": 0,
	} {
		if got, err := tick.ParseDecimal([]byte(literal)); err != nil || got != want {
			t.Errorf("ParseDecimal(%s) = %d, %v, want %d", literal, got, err, want)
		}
	}
}

func TestParseDecimalErrors(t *testing.T) {
	for literal, want := range map[string]error{
		"": tick.ErrDecimalSyntax, "-": tick.ErrDecimalSyntax, "+1": tick.ErrDecimalSyntax, "01": tick.ErrDecimalSyntax,
		"1.": tick.ErrDecimalSyntax, ".5": tick.ErrDecimalSyntax, "1e": tick.ErrDecimalSyntax, "1e+": tick.ErrDecimalSyntax,
		" 1": tick.ErrDecimalSyntax, "1 ": tick.ErrDecimalSyntax, "0x1": tick.ErrDecimalSyntax, "NaN": tick.ErrDecimalSyntax,
		"1_000": tick.ErrDecimalSyntax, "1,5": tick.ErrDecimalSyntax, "--1": tick.ErrDecimalSyntax, `"1"`: tick.ErrDecimalSyntax,
		"9223372036.854775808": tick.ErrDecimalRange, "9223372036.8547758075": tick.ErrDecimalRange,
		"-9223372036.854775809": tick.ErrDecimalRange, "1e10": tick.ErrDecimalRange, "1e400": tick.ErrDecimalRange,
		"1e99999999999999999999": tick.ErrDecimalRange, "1e18446744073709551616": tick.ErrDecimalRange, "99999999999999999999": tick.ErrDecimalRange,
	} {
		if got, err := tick.ParseDecimal([]byte(literal)); !errors.Is(err, want) || got != 0 {
			t.Errorf("ParseDecimal(%s) = %d, %v, want %v", literal, got, err, want)
		}
	}
}

func TestDecimalString(t *testing.T) {
	for d, want := range map[tick.Decimal]string{
		0: "0", 1: "0.000000001", -1: "-0.000000001", tick.One: "1", -tick.One: "-1",
		187_420_000_000: "187.42", -1_500_000_000: "-1.5", 10 * tick.One: "10", 1_000_000_010: "1.00000001",
		tick.MaxDecimal: "9223372036.854775807", math.MinInt64: "-9223372036.854775808",
	} {
		if d.String() != want {
			t.Errorf("Decimal(%d).String() = %s, want %s", int64(d), d, want)
		}
	}
}

func TestDecimalJSON(t *testing.T) {
	type bar struct {
		Close tick.Decimal  `json:"close"`
		VWAP  *tick.Decimal `json:"vwap"`
	}
	var b bar
	if err := json.Unmarshal([]byte(`{"close":187.420,"vwap":null}`), &b); err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(b)
	if err != nil || string(got) != `{"close":187.42,"vwap":null}` {
		t.Errorf("marshalled %s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"close":"187.42"}`), &b); !errors.Is(err, tick.ErrDecimalSyntax) {
		t.Errorf("a string: error %v", err)
	}
	if err := json.Unmarshal([]byte(`{"close":null}`), &b); err != nil || b.Close != 187_420_000_000 {
		t.Errorf("null: error %v, close %v", err, b.Close)
	}
}

func TestDecimalFromFloat(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0", 187.42: "187.42", 0.1 + 0.2: "0.3", -1.5: "-1.5", 1e-10: "0", 1234567.891: "1234567.891", 9e9: "9000000000",
	} {
		if got, err := tick.DecimalFromFloat(f); err != nil || got.String() != want {
			t.Errorf("DecimalFromFloat(%v) = %v, %v, want %s", f, got, err, want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e10, -1e300} {
		if got, err := tick.DecimalFromFloat(f); !errors.Is(err, tick.ErrDecimalRange) || got != 0 {
			t.Errorf("DecimalFromFloat(%v) = %v, %v", f, got, err)
		}
	}
}

func TestDecimalFloat64IsNearest(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		d := tick.Decimal(random.Uint64() >> random.IntN(64))
		want, _ := new(big.Rat).SetFrac64(int64(d), int64(tick.One)).Float64()
		if got := d.Float64(); got != want {
			t.Fatalf("Decimal(%d).Float64() = %v, want %v", int64(d), got, want)
		}
	}
}

// roundHalfEven is r as an integer.
func roundHalfEven(r *big.Rat) *big.Int {
	rest := new(big.Int)
	quotient, _ := new(big.Int).QuoRem(r.Num(), r.Denom(), rest)
	twice := rest.Lsh(rest.Abs(rest), 1)
	if order := twice.Cmp(r.Denom()); order > 0 || order == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(int64(r.Sign())))
	}
	return quotient
}

// rational reads a JSON number exactly; tiny and huge exponents are cut to
// what gives the same verdict in reasonable memory.
func rational(literal string) *big.Rat {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(literal), "e")
	e := int64(0)
	if exponent != "" {
		var err error
		if e, err = strconv.ParseInt(exponent, 10, 64); err != nil || e > 20_000 || e < -20_000 {
			e = 20_000
			if strings.HasPrefix(exponent, "-") {
				e = -20_000
			}
		}
	}
	r, _ := new(big.Rat).SetString(mantissa)
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(max(e, -e)), nil))
	if e < 0 {
		return r.Quo(r, power)
	}
	return r.Mul(r, power)
}

// times is r × 10^places, rounded half to even; false if no int64 holds it.
func times(r *big.Rat, places int64) (int64, bool) {
	power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(places), nil))
	rounded := roundHalfEven(power.Mul(power, r))
	return rounded.Int64(), rounded.IsInt64()
}

func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{
		"187.42", "-0", "1e-7", "1.5E3", "187.42000000000002", "0.0000000025", "9223372036.8547758075", "9223372036854775807e-9",
		"123456789012345678901234567890e-21", "1e400", "-9223372036.854775808", "00", "1.e5", "0.00000000050000000000000000001",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, literal string) {
		got, err := tick.ParseDecimal([]byte(literal))
		isNumber := literal != "" && strings.ContainsRune("-0123456789", rune(literal[0])) &&
			strings.TrimSpace(literal) == literal && json.Valid([]byte(literal))
		if !isNumber {
			if !errors.Is(err, tick.ErrDecimalSyntax) {
				t.Fatalf("ParseDecimal(%q) = %v, %v for what is no JSON number", literal, got, err)
			}
			return
		}
		if len(literal) > 10_000 { // big.Rat is quadratic
			return
		}
		want, fits := times(rational(literal), 9)
		if !fits {
			if !errors.Is(err, tick.ErrDecimalRange) {
				t.Fatalf("ParseDecimal(%q) = %v, %v beyond the range", literal, got, err)
			}
			return
		}
		if err != nil || got != tick.Decimal(want) {
			t.Fatalf("ParseDecimal(%q) = %d, %v, want %d", literal, got, err, want)
		}
		if back, err := tick.ParseDecimal([]byte(got.String())); err != nil || back != got {
			t.Fatalf("%d is written as %v and read as %d, %v", int64(got), got, int64(back), err)
		}
		if text := got.String(); strings.Contains(text, ".") && strings.HasSuffix(text, "0") || !json.Valid([]byte(text)) {
			t.Fatalf("%d is written as %s", int64(got), text)
		}
	})
}
