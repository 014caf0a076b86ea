package indicator_test

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tickstock/tickstream/pipeline/candle"
	"github.com/tickstock/tickstream/pipeline/indicator"
)

// columns names the library's column for each output.
var columns = map[string][]string{
	"SMA_5": {"SMA5"}, "SMA_10": {"SMA10"}, "SMA_20": {"SMA20"},
	"SMA_50": {"SMA50"}, "SMA_100": {"SMA100"}, "SMA_200": {"SMA200"},
	"EMA_12": {"EMA12"}, "EMA_26": {"EMA26"}, "EMA_50": {"EMA50"},
	"RSI": {"RSI14"}, "MACD": {"MACD", "MACDSIGNAL", "MACDHIST"},
	"BB": {"BBUPPER", "BBMIDDLE", "BBLOWER"}, "ATR": {"ATR14"},
	"STOCH": {"STOCHK", "STOCHD"}, "OBV": {"OBV"}, "VOLUME_SMA_20": {"VOLSMA20"},
}

// vectors is one file of the library's values.
type vectors struct {
	candles []candle.Candle
	cells   []map[string]string
}

func readVectors(t testing.TB, path string) *vectors {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	v := &vectors{}
	for i, row := range rows[1:] {
		cells := make(map[string]string, len(row))
		for j, name := range rows[0] {
			cells[name] = row[j]
		}
		n := func(name string) float64 { return number(t, cells[name]) }
		c := candle.Candle{Start: int64(i) * 60, Day: int32(i / 390),
			Open: n("open"), High: n("high"), Low: n("low"), Close: n("close"), Volume: n("volume")}
		c.VWAP = (c.High + c.Low + c.Close) / 3
		v.candles = append(v.candles, c)
		v.cells = append(v.cells, cells)
	}
	return v
}

func number(t testing.TB, s string) float64 {
	t.Helper()
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func newSet(t testing.TB, names ...string) *indicator.Set {
	t.Helper()
	s, err := indicator.NewSet(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every value is the library's to the last bit, and comes first where the
// library's does.
func TestEqualToTALibOnEveryBar(t *testing.T) {
	files, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(files) < 4 {
		t.Fatalf("found %d files of vectors, want 4 or more (%v)", len(files), err)
	}
	set := newSet(t)
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			v := readVectors(t, path)
			st := set.Open(nil)
			compared := make([]int, len(set.Definitions()))
			var out []indicator.Reading
			for i, c := range v.candles {
				out = st.Update(c, out[:0])
				found := make(map[int][indicator.MaxOutputs]float64, len(out))
				for _, r := range out {
					found[r.Indicator] = r.Values
				}
				for d, definition := range set.Definitions() {
					values, ready := found[d]
					for j, column := range columns[definition.Name] {
						cell := v.cells[i][column]
						if ready != (cell != "") {
							t.Fatalf("bar %d: %s ready is %t, the library has %q", i, column, ready, cell)
						}
						if !ready {
							continue
						}
						if want := number(t, cell); math.Float64bits(values[j]) != math.Float64bits(want) {
							t.Fatalf("bar %d: %s is %v, the library has %v", i, column, values[j], want)
						}
						compared[d]++
					}
				}
			}
			for d, definition := range set.Definitions() {
				want := len(columns[definition.Name]) * (len(v.candles) - definition.Lookback)
				if definition.TALib != "" && (want == 0 || compared[d] != want) {
					t.Errorf("%s: compared %d values, want %d", definition.Name, compared[d], want)
				}
			}
		})
	}
}
