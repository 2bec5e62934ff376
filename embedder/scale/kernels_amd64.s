#include "go_asm.h"
#include "textflag.h"

// What each of these does stands at its declaration.

// func downAVX2(to *int16, pix *uint8, stride, n int, weights *int16, lines int)
//
// Two lines at a time: their components side by side, times their two weights, are a sum of 32 bits.
TEXT ·downAVX2(SB), NOSPLIT, $0-48
	MOVQ to+0(FP), DI
	MOVQ pix+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX
	MOVQ weights+32(FP), R8
	MOVQ lines+40(FP), R9
	MOVL $(1<<(const_downShift-1)), AX // half of what is shifted out
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	XORQ BX, BX // the block's first component
	SUBQ $16, CX // the last block's
block:
	LEAQ (SI)(BX*1), R10
	VMOVDQU Y15, Y0
	VMOVDQU Y15, Y1
	XORQ R11, R11
lines:
	VPBROADCASTD (R8)(R11*2), Y2
	VPMOVZXBW (R10), Y3
	VPMOVZXBW (R10)(DX*1), Y4
	VPUNPCKLWD Y4, Y3, Y5
	VPUNPCKHWD Y4, Y3, Y6
	VPMADDWD Y2, Y5, Y5
	VPMADDWD Y2, Y6, Y6
	VPADDD Y5, Y0, Y0
	VPADDD Y6, Y1, Y1
	LEAQ (R10)(DX*2), R10
	ADDQ $2, R11
	CMPQ R11, R9
	JLT lines
	VPSRAD $const_downShift, Y0, Y0
	VPSRAD $const_downShift, Y1, Y1
	VPACKSSDW Y1, Y0, Y0 // undoes the order of the unpacking
	VMOVDQU Y0, (DI)(BX*2)
	CMPQ BX, CX
	JEQ done
	ADDQ $16, BX
	CMPQ BX, CX
	JLE block
	MOVQ CX, BX
	JMP block
done:
	VZEROUPPER
	RET

// func acrossAVX2(to *int32, line *int16, first *int32, weights *int16, n, groups int)
TEXT ·acrossAVX2(SB), NOSPLIT, $0-48
	MOVQ to+0(FP), DI
	MOVQ line+8(FP), SI
	MOVQ first+16(FP), DX
	MOVQ weights+24(FP), R8
	MOVQ n+32(FP), R9
	MOVQ groups+40(FP), CX
	SHLQ $1, R9 // bytes of a pixel's weights
	LEAQ (R9)(R9*2), R15 // of three pixels'
	MOVL $(1<<(const_acrossShift-1)), AX // half of what is shifted out
	VMOVD AX, X15
	VPBROADCASTD X15, X15
four:
	MOVLQSX 0(DX), R10
	MOVLQSX 4(DX), R11
	MOVLQSX 8(DX), R12
	MOVLQSX 12(DX), R13
	LEAQ (SI)(R10*2), R10
	LEAQ (SI)(R11*2), R11
	LEAQ (SI)(R12*2), R12
	LEAQ (SI)(R13*2), R13
	VPXOR X0, X0, X0
	VPXOR X1, X1, X1
	VPXOR X2, X2, X2
	VPXOR X3, X3, X3
	XORQ BX, BX
eight:
	LEAQ (R8)(BX*1), AX
	VMOVDQU (R10)(BX*1), X4
	VMOVDQU (R11)(BX*1), X5
	VMOVDQU (R12)(BX*1), X6
	VMOVDQU (R13)(BX*1), X7
	VPMADDWD (AX), X4, X4
	VPMADDWD (AX)(R9*1), X5, X5
	VPMADDWD (AX)(R9*2), X6, X6
	VPMADDWD (AX)(R15*1), X7, X7
	VPADDD X4, X0, X0
	VPADDD X5, X1, X1
	VPADDD X6, X2, X2
	VPADDD X7, X3, X3
	ADDQ $16, BX
	CMPQ BX, R9
	JLT eight
	VPHADDD X1, X0, X0
	VPHADDD X3, X2, X2
	VPHADDD X2, X0, X0
	VPADDD X15, X0, X0
	VPSRAD $const_acrossShift, X0, X0
	VMOVDQU X0, (DI)
	ADDQ $16, DI
	ADDQ $16, DX
	LEAQ (R8)(R9*4), R8
	DECQ CX
	JNZ four
	RET

// func coloursAVX2(red, green, blue *uint8, luma, cbs, crs *int32, groups int)
TEXT ·coloursAVX2(SB), NOSPLIT, $0-56
	MOVQ red+0(FP), DI
	MOVQ green+8(FP), SI
	MOVQ blue+16(FP), DX
	MOVQ luma+24(FP), R8
	MOVQ cbs+32(FP), R9
	MOVQ crs+40(FP), R10
	MOVQ groups+48(FP), CX
	MOVL $(128<<const_outBits), AX // no colour
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	MOVL $(1<<(const_colourShift-1)), AX // half of what is shifted out
	VMOVD AX, X14
	VPBROADCASTD X14, Y14
	MOVL $const_crR, AX
	VMOVD AX, X13
	VPBROADCASTD X13, Y13
	MOVL $const_cbG, AX
	VMOVD AX, X12
	VPBROADCASTD X12, Y12
	MOVL $const_crG, AX
	VMOVD AX, X11
	VPBROADCASTD X11, Y11
	MOVL $const_cbB, AX
	VMOVD AX, X10
	VPBROADCASTD X10, Y10
pixels:
	VMOVDQU (R8), Y0
	VPSLLD $const_colourBits, Y0, Y0
	VPADDD Y14, Y0, Y0
	VMOVDQU (R9), Y1
	VPSUBD Y15, Y1, Y1
	VMOVDQU (R10), Y2
	VPSUBD Y15, Y2, Y2
	VPMULLD Y13, Y2, Y3
	VPADDD Y3, Y0, Y3 // red
	VPMULLD Y12, Y1, Y4
	VPMULLD Y11, Y2, Y5
	VPSUBD Y4, Y0, Y4
	VPSUBD Y5, Y4, Y4 // green
	VPMULLD Y10, Y1, Y5
	VPADDD Y5, Y0, Y5 // blue
	VPSRAD $const_colourShift, Y3, Y3
	VPSRAD $const_colourShift, Y4, Y4
	VPSRAD $const_colourShift, Y5, Y5
	// To 16 bits and to 8, each within its range.
	VEXTRACTI128 $1, Y3, X6
	VEXTRACTI128 $1, Y4, X7
	VEXTRACTI128 $1, Y5, X8
	VPACKSSDW X6, X3, X3
	VPACKSSDW X7, X4, X4
	VPACKSSDW X8, X5, X5
	VPACKUSWB X3, X3, X3
	VPACKUSWB X4, X4, X4
	VPACKUSWB X5, X5, X5
	VMOVQ X3, (DI)
	VMOVQ X4, (SI)
	VMOVQ X5, (DX)
	ADDQ $8, DI
	ADDQ $8, SI
	ADDQ $8, DX
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	DECQ CX
	JNZ pixels
	VZEROUPPER
	RET
