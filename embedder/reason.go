package embedder

import (
	"path/filepath"
	"regexp"
	"strings"
)

var (
	// sourcePlace is where in ONNX Runtime's sources an error was made; the function follows it.
	sourcePlace = regexp.MustCompile(`/\S+\.(?:cc|cpp|cu|cuh|h|hpp):\d+ `)
	// ortCode is the code of an error within another.
	ortCode = regexp.MustCompile(`\[ONNXRuntimeError\] : \d+ : \w+ : `)
	// cudaPlace is what a provider says after an error of CUDA: machine, place and call.
	cudaPlace = regexp.MustCompile(` ?; GPU=-?\d+ ; hostname=\S* ; file=\S+ ; line=\d+ ; expr=[^;]*;? *`)
	// bindingWords are those that the Go binding puts before an error of the runtime.
	bindingWords = regexp.MustCompile(`^(?:Error [a-z ]+: )+`)
	// notLoaded is what the loader says of a library that it did not open: its path twice, once for ONNX Runtime's words
	// and once for the system's.
	notLoaded = regexp.MustCompile(`Failed to load library (\S+) with error: `)
	// noModel is what stands before the reason why a file is no model.
	noModel = regexp.MustCompile(`^Load model from (.+?) failed: ?`)
)

// plainReason is what ONNX Runtime says without the places in its sources that it says it from, and of a library that could not
// be loaded the name without its folder.
func plainReason(text string) string {
	for at := sourcePlace.FindStringIndex(text); at != nil; at = sourcePlace.FindStringIndex(text) {
		text = text[:at[0]] + afterCondition(afterFunction(text[at[1]:]))
	}
	text = bindingWords.ReplaceAllString(ortCode.ReplaceAllString(cudaPlace.ReplaceAllString(text, " "), ""), "")
	text = noModel.ReplaceAllString(text, "$1: ")
	if at := notLoaded.FindStringSubmatchIndex(text); at != nil {
		path := text[at[2]:at[3]]
		text = text[:at[0]] + filepath.Base(path) + " does not load: " + strings.TrimPrefix(text[at[1]:], path+": ")
	}
	text = strings.Replace(text, "Protobuf parsing failed.", "the file is no ONNX model, or is damaged", 1)
	return strings.TrimSpace(text)
}

// afterFunction is what follows the signature of a C++ function at the beginning of text; all of text if there is none.
func afterFunction(text string) string {
	depth, called := 0, false
	for i, c := range text {
		switch {
		case strings.ContainsRune("(<[", c):
			called = called || c == '(' && depth == 0
			depth++
		case strings.ContainsRune(")>]", c) && (i == 0 || text[i-1] != '-'):
			depth--
		case c == ' ' && depth == 0 && called:
			rest := text[i+1:]
			if !strings.HasPrefix(rest, "const ") && !strings.HasPrefix(rest, "[with ") {
				return rest
			}
		}
	}
	return text
}

// afterCondition is what follows the condition that an error says was not met.
func afterCondition(text string) string {
	own := len(text)
	if next := sourcePlace.FindStringIndex(text); next != nil {
		own = next[0]
	}
	const failed = " was false. "
	if i := strings.Index(text[:own], failed); i >= 0 {
		return text[i+len(failed):]
	}
	return text
}
