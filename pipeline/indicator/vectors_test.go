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

// columns of TA-Lib's values by indicator and output.
var columns = map[string][]string{
	"SMA_5": {"SMA5"}, "SMA_10": {"SMA10"}, "SMA_20": {"SMA20"}, "SMA_50": {"SMA50"}, "SMA_100": {"SMA100"}, "SMA_200": {"SMA200"},
	"EMA_12": {"EMA12"}, "EMA_26": {"EMA26"}, "EMA_50": {"EMA50"}, "RSI": {"RSI14"},
	"MACD": {"MACD", "MACDSIGNAL", "MACDHIST"}, "BB": {"BBUPPER", "BBMIDDLE", "BBLOWER"}, "ATR": {"ATR14"},
	"STOCH": {"STOCHK", "STOCHD"}, "OBV": {"OBV"}, "VOLUME_SMA_20": {"VOLSMA20"},
}

type vector struct {
	name    string
	candles []candle.Candle
	want    []map[string]float64 // by column; absent before TA-Lib's first value
}

func vectors(t testing.TB) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/*.csv")
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors: ", err)
	}
	var all []vector
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(f).ReadAll()
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		v := vector{name: filepath.Base(file)}
		for i, row := range rows[1:] {
			values := map[string]float64{}
			for k, text := range row {
				if text == "" {
					continue
				}
				if values[rows[0][k]], err = strconv.ParseFloat(text, 64); err != nil {
					t.Fatal(err)
				}
			}
			v.candles = append(v.candles, candle.Candle{
				Start: int64(i) * 60, Open: values["open"], High: values["high"], Low: values["low"],
				Close: values["close"], Volume: values["volume"], VWAP: values["close"],
			})
			v.want = append(v.want, values)
		}
		all = append(all, v)
	}
	return all
}

func set(t testing.TB, names ...string) *indicator.Set {
	t.Helper()
	s, err := indicator.NewSet(names...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestValuesAreTALibs(t *testing.T) {
	t.Parallel()
	s := set(t)
	for _, v := range vectors(t) {
		state := s.Open(nil)
		compared := map[string]int{}
		for i, c := range v.candles {
			given := map[string]float64{}
			for _, r := range state.Update(c, nil) {
				for k, column := range columns[s.Definitions()[r.Indicator].Name] {
					given[column] = r.Values[k]
				}
			}
			for _, names := range columns {
				for _, column := range names {
					want, expected := v.want[i][column]
					got, ok := given[column]
					if ok != expected {
						t.Fatalf("%s bar %d %s: given is %v, TA-Lib's is %v", v.name, i, column, ok, expected)
					}
					if ok {
						compared[column]++
					}
					if math.Abs(got-want) > 1e-9*math.Abs(want) {
						t.Errorf("%s bar %d %s: %v, want %v", v.name, i, column, got, want)
					}
				}
			}
		}
		for column, n := range compared {
			if n < 500 {
				t.Errorf("%s: only %d values of %s were compared", v.name, n, column)
			}
		}
	}
}
