package testbed

import (
	"bytes"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/tickstock/tickstream/pipeline/event/schema"
)

// CheckEvent fails the test unless payload is what the schema of that file name
// in [schema.FS] says.
func CheckEvent(tb testing.TB, name string, payload []byte) {
	tb.Helper()
	file, err := schema.FS.Open(name)
	if err != nil {
		tb.Fatalf("open event schema: %v", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		tb.Fatalf("read event schema %s: %v", name, err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	if err := compiler.AddResource(name, document); err != nil {
		tb.Fatalf("add event schema %s: %v", name, err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		tb.Fatalf("compile event schema %s: %v", name, err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
	if err != nil {
		tb.Errorf("event is not JSON: %v\n%s", err, payload)
		return
	}
	if err := compiled.Validate(value); err != nil {
		tb.Errorf("event is not as %s says: %v\n%s", name, err, payload)
	}
}
