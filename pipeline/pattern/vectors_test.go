package pattern_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/pattern"
)

// series is a file of bars with the integers that TA-Lib gives on them.
type series struct {
	bars   []candle.Candle
	scores map[string][]string // by TA-Lib's function; empty before its first output
}

func readSeries(t testing.TB, name string) series {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	s := series{scores: map[string][]string{}}
	for i, row := range rows[1:] {
		number := func(name string) float64 {
			f, err := strconv.ParseFloat(row[column[name]], 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		s.bars = append(s.bars, candle.Candle{
			Start: int64(i) * 60,
			Open:  number("open"), High: number("high"), Low: number("low"), Close: number("close"),
		})
		for name, at := range column {
			if name[:3] == "CDL" {
				s.scores[name] = append(s.scores[name], row[at])
			}
		}
	}
	return s
}

func all(t testing.TB, names ...string) *pattern.Set {
	t.Helper()
	set, err := pattern.NewSet(names...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// run returns the matches of each bar.
func run(set *pattern.Set, bars []candle.Candle) [][]pattern.Match {
	st := set.Open(nil)
	out := make([][]pattern.Match, len(bars))
	for i, b := range bars {
		out[i] = st.Update(b, nil)
	}
	return out
}

// files are the vectors, with the bars of each.
var files = map[string]int{"plain.csv": 1500, "gappy.csv": 1500, "flat.csv": 800, "edges.csv": 3000}

func TestEqualsTALibOnEveryBar(t *testing.T) {
	for name, count := range files {
		s := readSeries(t, name)
		if len(s.bars) != count || len(s.scores) != 17 {
			t.Fatalf("%s: %d bars, %d patterns", name, len(s.bars), len(s.scores))
		}
		set := all(t)
		found := run(set, s.bars)
		for function, want := range s.scores {
			for i := range want {
				score, matched := 0, false
				for _, m := range found[i] {
					if d := set.Definitions()[m.Pattern]; d.TALib == function {
						if matched {
							t.Fatalf("%s bar %d: %s twice", name, i, function)
						}
						score, matched = m.Score, true
						checkDirection(t, d, m)
					}
				}
				got := strconv.Itoa(score)
				if want[i] == "" {
					// Before the library's first output there is no match.
					if matched {
						t.Fatalf("%s bar %d: %s = %d before the first output", name, i, function, score)
					}
					continue
				}
				if got != want[i] {
					t.Fatalf("%s bar %d: %s = %s, want %s", name, i, function, got, want[i])
				}
			}
		}
	}
}

func TestLookbackIsTALibs(t *testing.T) {
	s := readSeries(t, "plain.csv")
	for _, d := range all(t).Definitions() {
		if d.TALib == "" {
			continue
		}
		first := 0
		for s.scores[d.TALib][first] == "" {
			first++
		}
		if first != d.Lookback {
			t.Errorf("%s: lookback %d, the library's first output is on bar %d", d.Name, d.Lookback, first)
		}
	}
}

func checkDirection(t *testing.T, d pattern.Definition, m pattern.Match) {
	t.Helper()
	if d.Direction == pattern.Bullish && m.Score < 0 || d.Direction == pattern.Bearish && m.Score > 0 {
		t.Fatalf("%s is %s and scores %d", d.Name, d.Direction, m.Score)
	}
	if !(m.Confidence >= 0 && m.Confidence <= 1) {
		t.Fatalf("%s: confidence %v", d.Name, m.Confidence)
	}
	if m.Bars != d.Bars {
		t.Fatalf("%s spans %d bars, not %d", d.Name, m.Bars, d.Bars)
	}
}

// TestConfidenceIsSpread keeps "clear" a distinction: over all vectors, some
// matches of every pattern family are clear and most are not.
func TestConfidenceIsSpread(t *testing.T) {
	set := all(t)
	var matches, clear [64]int
	total, clearTotal := 0, 0
	for name := range files {
		for _, bar := range run(set, readSeries(t, name).bars) {
			for _, m := range bar {
				matches[m.Pattern]++
				total++
				if m.Confidence >= 0.8 {
					clear[m.Pattern]++
					clearTotal++
				}
			}
		}
	}
	for i, d := range set.Definitions() {
		t.Logf("%-28s %5d matches, %5d clear", d.Name, matches[i], clear[i])
		if matches[i] >= 200 && (clear[i] == 0 || clear[i]*2 > matches[i]) {
			t.Errorf("%s: %d of %d matches are clear", d.Name, clear[i], matches[i])
		}
	}
	if clearTotal*20 < total || clearTotal*3 > total {
		t.Errorf("%d of %d matches are clear", clearTotal, total)
	}
}
