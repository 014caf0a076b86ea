package exact_test

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/tickstock/tickstream/pipeline/exact"
	"github.com/tickstock/tickstream/pipeline/tick"
)

// magnitudes draws decimals of every size, so that all words are carried into.
func draw(random *rand.Rand) tick.Decimal {
	return tick.Decimal(random.Uint64() >> (1 + random.UintN(63)))
}

func TestSumsAgreeWithBigIntegersInAnyOrder(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var forward, left, right exact.Quantity
		var money, moneyLeft, moneyRight exact.Notional
		wantQuantity, wantMoney := new(big.Int), new(big.Int)
		for i := range 1 + random.IntN(20) {
			price, quantity := draw(random), draw(random)
			forward.Add(quantity)
			money.Add(price, quantity)
			if i%2 == 0 {
				left.Add(quantity)
				moneyLeft.Add(price, quantity)
			} else {
				right.Add(quantity)
				moneyRight.Add(price, quantity)
			}
			wantQuantity.Add(wantQuantity, big.NewInt(int64(quantity)))
			wantMoney.Add(wantMoney, new(big.Int).Mul(big.NewInt(int64(price)), big.NewInt(int64(quantity))))
		}
		right.Merge(left)
		moneyRight.Merge(moneyLeft)
		if right != forward || moneyRight != money {
			t.Fatal("a merged sum differs from the same summed in order")
		}
		want := new(big.Rat).SetFrac(wantQuantity, big.NewInt(int64(tick.One)))
		if got, ok := new(big.Rat).SetString(forward.String()); !ok || got.Cmp(want) != 0 {
			t.Fatalf("quantity %s, want %s", forward, want.FloatString(9))
		}
		if f, _ := want.Float64(); forward.Float64() != f {
			t.Fatalf("quantity %s as a float is %v, want %v", forward, forward.Float64(), f)
		}
		var read exact.Quantity
		if err := json.Unmarshal([]byte(forward.String()), &read); err != nil || read != forward {
			t.Fatalf("%s read back is %s, %v", forward, read, err)
		}
		average, ok := money.Per(forward)
		if ok != (wantQuantity.Sign() > 0) {
			t.Fatalf("average of %s shares: ok is %v", forward, ok)
		}
		if ok && !nearest(wantMoney, wantQuantity, average) {
			t.Fatalf("average %s of %s is not the nearest", average, forward)
		}
	}
}

// nearest tells whether |sum − average·quantity| is at most half a quantity,
// and average is even where it is just half.
func nearest(sum, quantity *big.Int, average tick.Decimal) bool {
	rest := new(big.Int).Mul(big.NewInt(int64(average)), quantity)
	rest.Sub(sum, rest).Abs(rest).Lsh(rest, 1)
	order := rest.Cmp(quantity)
	return order < 0 || order == 0 && average%2 == 0
}

func TestWholeSharesRoundHalfToEven(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "0.5": 0, "1.5": 2, "2.5": 2, "2.500000001": 3, "12.499999999": 12,
		"9223372036854775807": 9223372036854775807, "99999999999999999999": 9223372036854775807,
	} {
		var q exact.Quantity
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			t.Fatal(err)
		}
		if q.Int64() != want {
			t.Errorf("%s shares are %d whole ones, want %d", text, q.Int64(), want)
		}
	}
}

func FuzzQuantity(f *testing.F) {
	for _, seed := range []string{"0", "12.5", "99999999999999999999.000000001", "1e30", "-1", "null", "1.", ".5", "0.0000000001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var q exact.Quantity
		if json.Unmarshal([]byte(text), &q) != nil {
			return
		}
		var again exact.Quantity
		if err := json.Unmarshal([]byte(q.String()), &again); err != nil || again != q {
			t.Fatalf("%q reads as %s, which reads as %s, %v", text, q, again, err)
		}
	})
}
