package vec

import "github.com/klauspost/cpuid/v2"

// levels lists what this machine can run, best last.
func levels() []kernels {
	have := []kernels{goKernels()}
	if !cpuid.CPU.Supports(cpuid.AVX2, cpuid.FMA3) {
		return have
	}
	have = append(have, kernels{
		level:        "avx2",
		dot:          pairKernels{dotAVX2, dotRowsAVX2, dotStreamAVX2, dotScatteredAVX2},
		l2:           pairKernels{l2AVX2, l2RowsAVX2, l2StreamAVX2, l2ScatteredAVX2},
		scaled:       scaledKernels{scaledAVX2, scaledRowsAVX2, scaledStreamAVX2, scaledScatteredAVX2},
		codes:        codeKernels{dotCodesAVX2, dotCodesScatteredAVX2, scanCodesAVX2, sieveCodesAVX2},
		tile:         dotTileAVX2,
		tileQueries:  tileQueriesAVX2,
		tileRows:     tileRowsAVX2,
		sieve:        dotSieveAVX2,
		sieveQueries: sieveQueriesAVX2,
		sieveRows:    sieveRowsAVX2,
	})
	if !cpuid.CPU.Supports(cpuid.AVX512F, cpuid.AVX512VL) {
		return have
	}
	codes := codeKernels{dotCodesAVX512, dotCodesScatteredAVX512, scanCodesAVX512, sieveCodesAVX512}
	if !cpuid.CPU.Supports(cpuid.AVX512VNNI) { // the first processors with AVX-512 lack it
		codes = have[len(have)-1].codes
	}
	return append(have, kernels{
		level:        "avx512",
		dot:          pairKernels{dotAVX512, dotRowsAVX512, dotStreamAVX512, dotScatteredAVX512},
		l2:           pairKernels{l2AVX512, l2RowsAVX512, l2StreamAVX512, l2ScatteredAVX512},
		scaled:       scaledKernels{scaledAVX512, scaledRowsAVX512, scaledStreamAVX512, scaledScatteredAVX512},
		codes:        codes,
		tile:         dotTileAVX512,
		tileQueries:  tileQueriesAVX512,
		tileRows:     tileRowsAVX512,
		sieve:        dotSieveAVX512,
		sieveQueries: sieveQueriesAVX512,
		sieveRows:    sieveRowsAVX512,
	})
}
