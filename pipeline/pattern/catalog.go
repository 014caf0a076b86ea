package pattern

import "strings"

// kind tells the recognisers apart.
type kind int

const (
	doji kind = iota
	dragonflyDoji
	gravestoneDoji
	hammer
	hangingMan
	invertedHammer
	shootingStar
	bullishEngulfing
	bearishEngulfing
	bullishHarami
	bearishHarami
	piercingLine
	darkCloudCover
	morningStar
	eveningStar
	threeWhiteSoldiers
	threeBlackCrows
	marubozu
	spinningTop
	headAndShoulders
	inverseHeadAndShoulders
	kinds
)

// catalog returns every pattern, indexed by kind. Lookback is the library's.
func catalog() [kinds]Definition {
	all := [kinds]Definition{
		doji:               {Name: "Doji", TALib: "CDLDOJI", Direction: Neutral, Bars: 1, Lookback: 10},
		dragonflyDoji:      {Name: "Dragonfly Doji", TALib: "CDLDRAGONFLYDOJI", Direction: Neutral, Bars: 1, Lookback: 10},
		gravestoneDoji:     {Name: "Gravestone Doji", TALib: "CDLGRAVESTONEDOJI", Direction: Neutral, Bars: 1, Lookback: 10},
		hammer:             {Name: "Hammer", TALib: "CDLHAMMER", Direction: Bullish, Bars: 2, Lookback: 11},
		hangingMan:         {Name: "Hanging Man", TALib: "CDLHANGINGMAN", Direction: Bearish, Bars: 2, Lookback: 11},
		invertedHammer:     {Name: "Inverted Hammer", TALib: "CDLINVERTEDHAMMER", Direction: Bullish, Bars: 2, Lookback: 11},
		shootingStar:       {Name: "Shooting Star", TALib: "CDLSHOOTINGSTAR", Direction: Bearish, Bars: 2, Lookback: 11},
		bullishEngulfing:   {Name: "Bullish Engulfing", TALib: "CDLENGULFING", Direction: Bullish, Bars: 2, Lookback: 2},
		bearishEngulfing:   {Name: "Bearish Engulfing", TALib: "CDLENGULFING", Direction: Bearish, Bars: 2, Lookback: 2},
		bullishHarami:      {Name: "Bullish Harami", TALib: "CDLHARAMI", Direction: Bullish, Bars: 2, Lookback: 11},
		bearishHarami:      {Name: "Bearish Harami", TALib: "CDLHARAMI", Direction: Bearish, Bars: 2, Lookback: 11},
		piercingLine:       {Name: "Piercing Line", TALib: "CDLPIERCING", Direction: Bullish, Bars: 2, Lookback: 11},
		darkCloudCover:     {Name: "Dark Cloud Cover", TALib: "CDLDARKCLOUDCOVER", Direction: Bearish, Bars: 2, Lookback: 11},
		morningStar:        {Name: "Morning Star", TALib: "CDLMORNINGSTAR", Direction: Bullish, Bars: 3, Lookback: 12},
		eveningStar:        {Name: "Evening Star", TALib: "CDLEVENINGSTAR", Direction: Bearish, Bars: 3, Lookback: 12},
		threeWhiteSoldiers: {Name: "Three White Soldiers", TALib: "CDL3WHITESOLDIERS", Direction: Bullish, Bars: 3, Lookback: 12},
		threeBlackCrows:    {Name: "Three Black Crows", TALib: "CDL3BLACKCROWS", Direction: Bearish, Bars: 4, Lookback: 13},
		marubozu:           {Name: "Marubozu", TALib: "CDLMARUBOZU", Direction: BySign, Bars: 1, Lookback: 10},
		spinningTop:        {Name: "Spinning Top", TALib: "CDLSPINNINGTOP", Direction: Neutral, Bars: 1, Lookback: 10},

		headAndShoulders:        {Name: "Head and Shoulders", Direction: Bearish},
		inverseHeadAndShoulders: {Name: "Inverse Head and Shoulders", Direction: Bullish},
	}
	for k := range all {
		all[k].kind = kind(k)
		all[k].Token = strings.ReplaceAll(all[k].Name, " ", "_")
		if all[k].TALib == "" {
			// Five pivots alternate, and each needs its bars on both sides.
			all[k].Lookback = 4 + 2*PivotWidth
		}
	}
	return all
}

// recognise judges one candlestick pattern on v's newest bar. A score of 0 is
// no match. The calls are direct, so that v stays on the caller's stack.
func (v *view) recognise(k kind) (score int, confidence float64) {
	switch k {
	case doji:
		return v.doji()
	case dragonflyDoji:
		return v.dragonflyDoji()
	case gravestoneDoji:
		return v.gravestoneDoji()
	case hammer:
		return v.hammer()
	case hangingMan:
		return v.hangingMan()
	case invertedHammer:
		return v.invertedHammer()
	case shootingStar:
		return v.shootingStar()
	case bullishEngulfing:
		return v.engulfing(white)
	case bearishEngulfing:
		return v.engulfing(black)
	case bullishHarami:
		return v.harami(white)
	case bearishHarami:
		return v.harami(black)
	case piercingLine:
		return v.piercingLine()
	case darkCloudCover:
		return v.darkCloudCover()
	case morningStar:
		return v.morningStar()
	case eveningStar:
		return v.eveningStar()
	case threeWhiteSoldiers:
		return v.threeWhiteSoldiers()
	case threeBlackCrows:
		return v.threeBlackCrows()
	case marubozu:
		return v.marubozu()
	case spinningTop:
		return v.spinningTop()
	}
	return 0, 0
}
