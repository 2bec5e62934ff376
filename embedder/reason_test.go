package embedder

import "testing"

// TestPlainReason has what ONNX Runtime 1.27 says, and what of it is for people.
func TestPlainReason(t *testing.T) {
	for reason, want := range map[string]string{
		"/src/webgpu_context.cc:65 a::b(const c&)::<lambda()> status == Success was false. Failed to get a WebGPU adapter: No supported adapters":                                                                                                                                                                                      "Failed to get a WebGPU adapter: No supported adapters",
		"/src/provider_bridge_ort.cc:1988 onnxruntime::Provider& Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /a/b.so with error: not there":                                                                                                                                                                           "b.so does not load: not there",
		"Failed to load library /a/b.so with error: /a/b.so: cannot open shared object file: No such file or directory":                                                                                                                                                                                                                "b.so does not load: cannot open shared object file: No such file or directory",
		"Failed to load library /a/b.so with error: libcudnn.so.9: cannot open shared object file: No such file or directory":                                                                                                                                                                                                          "b.so does not load: libcudnn.so.9: cannot open shared object file: No such file or directory",
		"XNNPACK execution provider is not supported in this build.":                                                                                                                                                                                                                                                                   "XNNPACK execution provider is not supported in this build.",
		"Error loading temporary session: Load model from /a b/m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/graph.cc:1544 void onnxruntime::Graph::InitializeStateFromModelFileGraphProto() This is an invalid model. Graph output (out) does not exist in the graph.":                                                        "/a b/m.onnx: This is an invalid model. Graph output (out) does not exist in the graph.",
		"Error loading temporary session: Load model from m.onnx failed:/onnxruntime_src/onnxruntime/core/graph/graph.cc:1393 onnxruntime::Graph::Graph(const onnxruntime::Model&, const std::unordered_map<std::__cxx11::basic_string<char>, int>&, bool) Tensor does not have type information.":                                     "m.onnx: Tensor does not have type information.",
		"Error loading temporary session: Load model from m.onnx failed:Protobuf parsing failed.":                                                                                                                                                                                                                                      "m.onnx: the file is no ONNX model, or is damaged",
		"Non-zero status code returned while running Gemm node. Name:'g' Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/math/gemm_helper.h:13 onnxruntime::GemmHelper::GemmHelper(const onnxruntime::TensorShape&, bool, std::function<void(int)>) left.NumDimensions() == 2 was false. Left matrix has 4 dimensions": "Non-zero status code returned while running Gemm node. Name:'g' Status Message: Left matrix has 4 dimensions",
		"/onnxruntime_src/a.cc:1 std::function<void(int)> a::b(int) const [with T = float; U = c<int>] first /onnxruntime_src/b.cc:2 void c() x > 0 was false. second":                                                                                                                                                                 "first second",
		"CUDA failure 100: no CUDA-capable device is detected ; GPU=-1 ; hostname=box ; file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=282 ; expr=cudaSetDevice(info_.device_id); ":                                                                                                           "CUDA failure 100: no CUDA-capable device is detected",
	} {
		if got := plainReason(reason); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}
