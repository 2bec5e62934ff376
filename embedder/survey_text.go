package embedder

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes what the devices are, for people: one line each, and those that the library was built without
// together.
func (s *Survey) WriteText(out io.Writer) error {
	fmt.Fprintf(out, "%s, %s\n\n", s.Runtime, s.Library)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var lacking []string // devices that this library was built without
	for _, d := range s.Devices {
		said := "ready: " + Placed(d.Nodes) + fmt.Sprintf("; first answer after %.2f s", d.Seconds)
		if !d.Ready {
			said = "no: " + d.Reason
			if rest, found := strings.CutSuffix(d.Reason, " execution provider is not supported in this build."); found && !strings.Contains(rest, " ") {
				lacking = append(lacking, string(d.Device))
				continue
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", d.Device, d.Runs, said)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(lacking) > 0 {
		fmt.Fprintf(out, "\n\"execution provider is not supported in this build\": %s\n", strings.Join(lacking, ", "))
	}
	for _, driver := range s.Vulkan {
		if s.NoGPU {
			break // they are not asked
		}
		fmt.Fprintf(out, "Vulkan driver: %s\n", driver)
	}
	if hint := s.VulkanHint(); hint != "" {
		fmt.Fprintf(out, "\n%s\n", hint)
	}
	return nil
}
