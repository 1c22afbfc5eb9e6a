// Reads manifests as kubectl does: the splitter of documents and JSON streams of k8s.io/apimachinery,
// which reads YAML by sigs.k8s.io/yaml, in the loop of kubectl's StreamVisitor. A line of JSON in, one
// out: a file (base64), and its documents as JSON and what is wrong with it ("" for nothing).
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

type result struct {
	Documents []json.RawMessage `json:"documents"`
	Error     string            `json:"error"`
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var file []byte
		if err := json.Unmarshal(line, &file); err != nil {
			panic(err)
		}
		if err := out.Encode(read(file)); err != nil {
			panic(err)
		}
	}
}

func read(file []byte) result {
	found := result{Documents: []json.RawMessage{}}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096)
	for {
		ext := runtime.RawExtension{}
		if err := decoder.Decode(&ext); err != nil {
			if err != io.EOF {
				found.Error = err.Error()
			}
			return found
		}
		ext.Raw = bytes.TrimSpace(ext.Raw)
		if len(ext.Raw) == 0 || bytes.Equal(ext.Raw, []byte("null")) {
			continue
		}
		found.Documents = append(found.Documents, ext.Raw)
	}
}
