package main

import (
	"os"
	"strings"
	"testing"

	"github.com/tickstock/tickstream/health/cause"
)

func TestReadmeAnswersWhyUnknown(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cause.All() {
		said := false
		for line := range strings.Lines(string(readme)) {
			said = said || strings.HasPrefix(line, "| "+c.Says+": ") && strings.HasSuffix(strings.TrimSpace(line), "| "+c.Mend+" |")
		}
		if !said {
			t.Errorf("no row of the README says %q and what to do: %q", c.Says, c.Mend)
		}
	}
}
