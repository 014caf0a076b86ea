package main

// closest is the candidate that word is most likely a slip of, empty if none is
// near: at most one slip (a letter too many, missing, wrong or swapped with its
// neighbour) in three letters.
func closest(word string, candidates []string) string {
	best, least := "", len(word)/3+1
	if len(word) < 3 {
		least = 1 // only the word itself
	}
	for _, candidate := range candidates {
		if d := slips(word, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// slips counts them between two words (optimal string alignment).
func slips(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			wrong := 1
			if a[i-1] == b[j-1] {
				wrong = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+wrong)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(a)][len(b)]
}
