package say_test

import (
	"fmt"

	"annbench/bench/metric"
	"annbench/reports/say"
)

func ExampleQuantity() {
	fmt.Println(say.Quantity(metric.Build, 171), say.Quantity(metric.Resident, 110e6), say.Quantity(metric.Recall, 0.99996))
	// Output: 2.85 min 105 MiB 0.99996
}
