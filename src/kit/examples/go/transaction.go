// Reading an unsigned EVM transaction (RLP, types 0 and 2), strictly, and the hashes of it: Keccak-256, which the chain
// signs, and the intent hash, to which the node binds its session (docs/spec/intents.md 6.1).
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"math/bits"
	"strings"
)

type payment struct {
	chainID, nonce, amount, maxFee *big.Int
	to                             string // EIP-55
}

type item struct {
	isList bool
	bytes  []byte
}

var errRLP = errors.New("the raw transaction is not in the one form of RLP")

// readPayment refuses whatever is not exactly one unsigned payment with no data, for one chain.
func readPayment(raw []byte) (*payment, error) {
	typed := raw[0] == 2
	if typed {
		raw = raw[1:]
	}
	whole, rest, err := readItem(raw)
	if err != nil || !whole.isList || len(rest) > 0 {
		return nil, errRLP
	}
	var fields []item
	for body := whole.bytes; len(body) > 0; {
		var next item
		if next, body, err = readItem(body); err != nil {
			return nil, err
		}
		fields = append(fields, next)
	}
	if len(fields) != 9 {
		return nil, errors.New("it has not the nine fields of an unsigned transaction with a chain id")
	}
	// type 0: nonce, price, gas, to, value, data, chain, 0, 0; type 2: chain, nonce, tip, price, gas, to, value, data, []
	order := [9]int{6, 0, 1, 1, 2, 3, 4, 5, 8}
	if typed {
		order = [9]int{0, 1, 2, 3, 4, 5, 6, 7, 8}
	}
	number := func(n int) *big.Int {
		field := fields[order[n]]
		if field.isList || len(field.bytes) > 32 || (len(field.bytes) > 0 && field.bytes[0] == 0) {
			err = errRLP
		}
		return new(big.Int).SetBytes(field.bytes)
	}
	chain, nonce, tip, price, gas, amount := number(0), number(1), number(2), number(3), number(4), number(6)
	to, data, last := fields[order[5]], fields[order[7]], fields[8]
	if err != nil {
		return nil, err
	}
	isClosed := last.isList && len(last.bytes) == 0
	if !typed {
		isClosed = !last.isList && len(last.bytes) == 0 && !fields[7].isList && len(fields[7].bytes) == 0
	}
	if to.isList || len(to.bytes) != 20 || data.isList || len(data.bytes) != 0 || !isClosed || tip.Cmp(price) > 0 {
		return nil, errors.New("it is not a payment and nothing beside it")
	}
	return &payment{chainID: chain, nonce: nonce, amount: amount, maxFee: new(big.Int).Mul(price, gas), to: addressOf(to.bytes)}, nil
}

// readItem reads one item of RLP and refuses every second way to write it.
func readItem(bytes []byte) (item, []byte, error) {
	if len(bytes) == 0 {
		return item{}, nil, errRLP
	}
	first := bytes[0]
	if first < 0x80 {
		return item{bytes: bytes[:1]}, bytes[1:], nil
	}
	isList := first >= 0xc0
	length := int(first &^ 0xc0)
	if !isList {
		length = int(first - 0x80)
	}
	body := bytes[1:]
	if length > 55 {
		digits := length - 55
		if digits > 3 || len(body) < digits || body[0] == 0 {
			return item{}, nil, errRLP
		}
		length = 0
		for _, digit := range body[:digits] {
			length = length<<8 | int(digit)
		}
		body = body[digits:]
		if length <= 55 {
			return item{}, nil, errRLP
		}
	}
	if length > len(body) || (!isList && length == 1 && body[0] < 0x80) {
		return item{}, nil, errRLP
	}
	return item{isList, body[:length]}, body[length:], nil
}

// addressOf spells 20 bytes as EIP-55 does.
func addressOf(raw []byte) string {
	digits := []byte(hex.EncodeToString(raw))
	hash := keccak256(digits)
	for i, digit := range digits {
		if digit >= 'a' && hash[i/2]>>(4*(1-i%2))&8 != 0 {
			digits[i] -= 'a' - 'A'
		}
	}
	return "0x" + string(digits)
}

// parseDecimal is nil for what is no plain decimal number with at most so many decimals.
func parseDecimal(text string, decimals int) *big.Int {
	whole, fraction, hasPoint := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	digits := whole + fraction
	if whole == "" || (hasPoint && strings.HasSuffix(text, ".")) || len(fraction) > decimals || len(digits) > 100 ||
		strings.Trim(digits, "0123456789") != "" {
		return nil
	}
	value, _ := new(big.Int).SetString(digits+strings.Repeat("0", decimals-len(fraction)), 10)
	return value
}

// intentHash is that of a reading with one transfer: docs/spec/intents.md 6.1.
func intentHash(payment *payment, digest []byte, root, path, chain, asset, from string) []byte {
	effect := tagged("intent/effect",
		"amount", "i"+payment.amount.String(), "asset", "s"+asset, "from", "s"+from, "kind", "stransfer", "to", "s"+payment.to)
	message := listed(listed(path), listed(), string(digest))
	return tagged("intent", "\x00\x00\x00\x01", "evm/transaction", root, chain, listed(from), string(effect),
		listed(payment.maxFee.String(), asset, "false"), listed(payment.nonce.String()), listed(), listed(message))
}

// tagged is H of docs/spec/threshold.md 1.4.
func tagged(tag string, fields ...string) []byte {
	frame := "TSSN1" + string([]byte{byte(len(tag))}) + tag + string([]byte{byte(len(fields))})
	for _, field := range fields {
		frame += u32(len(field)) + field
	}
	digest := sha256.Sum256([]byte(frame))
	return digest[:]
}

func listed(parts ...string) string {
	out := u32(len(parts))
	for _, part := range parts {
		out += u32(len(part)) + part
	}
	return out
}

func u32(n int) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(n)))
}

// keccak256 is the hash of Ethereum, which the standard library has not: SHA-3 with the padding of its proposal.
func keccak256(message []byte) []byte {
	const rate = 136
	padded := make([]byte, (len(message)/rate+1)*rate)
	copy(padded, message)
	padded[len(message)] ^= 0x01
	padded[len(padded)-1] ^= 0x80
	var state [25]uint64
	for ; len(padded) > 0; padded = padded[rate:] {
		for i := 0; i < rate/8; i++ {
			state[i] ^= binary.LittleEndian.Uint64(padded[8*i:])
		}
		permute(&state)
	}
	out := make([]byte, 32)
	for i := 0; i < 4; i++ {
		binary.LittleEndian.PutUint64(out[8*i:], state[i])
	}
	return out
}

func permute(a *[25]uint64) {
	lfsr := byte(1)
	for round := 0; round < 24; round++ {
		var c [5]uint64
		for x := 0; x < 5; x++ {
			c[x] = a[x] ^ a[x+5] ^ a[x+10] ^ a[x+15] ^ a[x+20]
		}
		for i := range a {
			a[i] ^= c[(i+4)%5] ^ bits.RotateLeft64(c[(i+1)%5], 1)
		}
		x, y, moved := 1, 0, a[1]
		for t := 1; t <= 24; t++ {
			x, y = y, (2*x+3*y)%5
			a[x+5*y], moved = bits.RotateLeft64(moved, t*(t+1)/2%64), a[x+5*y]
		}
		for y := 0; y < 25; y += 5 {
			row := [5]uint64{a[y], a[y+1], a[y+2], a[y+3], a[y+4]}
			for x := 0; x < 5; x++ {
				a[y+x] = row[x] ^ (^row[(x+1)%5] & row[(x+2)%5])
			}
		}
		for j := 0; j < 7; j++ {
			if lfsr&1 != 0 {
				a[0] ^= 1 << (1<<j - 1)
			}
			lfsr = lfsr<<1 ^ lfsr>>7*0x71
		}
	}
}
