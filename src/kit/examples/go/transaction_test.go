package main

import (
	"encoding/hex"
	"strings"
	"testing"
)

func TestKeccak(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470",
		"abc":                    "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45",
		strings.Repeat("a", 136): "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e",
	} {
		if got := hex.EncodeToString(keccak256([]byte(text))); got != want {
			t.Errorf("keccak256(%q) is %s", text, got)
		}
	}
}

func TestReadsTheTransactionOfTheSpecification(t *testing.T) {
	raw, _ := hex.DecodeString("e980842ffee68f825208940f76f604fd7762bd94b48ca2523f69ab9665c97f865af3107a400080018080")
	if got := hex.EncodeToString(keccak256(raw)); got != "1acf0342f77d22389a9cf6524a2af14dc420928d2942efe0dc0764be2ea5321b" {
		t.Errorf("its digest is %s", got)
	}
	read, err := readPayment(raw)
	if err != nil || read.to != "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f" || read.amount.String() != "100000000000000" {
		t.Errorf("it is read as %v, %v", read, err)
	}
	for cut := 0; cut < len(raw); cut++ {
		if _, err := readPayment(append(raw[:cut:cut], 0)); err == nil {
			t.Errorf("%d bytes of it are read", cut)
		}
	}
}
