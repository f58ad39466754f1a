// What is approved: new keys if the configuration says so, and one kind of signature, a payment of the chain's own coin to
// a listed address, within the limits. Everything else is rejected.
package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strings"
)

type request struct {
	id     string
	kind   int64
	detail map[string]any
	extra  map[string]any
}

type rules struct {
	config       *Config
	destinations map[string]bool // EIP-55 spelling
	maxAmount    *big.Int
	maxFee       *big.Int
}

func newRules(config *Config) (*rules, error) {
	r := &rules{config: config, destinations: map[string]bool{}}
	for _, text := range config.Destinations {
		raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err != nil || len(raw) != 20 || text != addressOf(raw) {
			return nil, fmt.Errorf("destinations: %s is no address with a right checksum", text)
		}
		r.destinations[text] = true
	}
	var ok [2]bool
	r.maxAmount, ok[0] = new(big.Int).SetString(config.MaxAmountWei, 10)
	r.maxFee, ok[1] = new(big.Int).SetString(config.MaxFeeWei, 10)
	if !ok[0] || !ok[1] || config.ChainID == 0 {
		return nil, errors.New("chain_id, max_amount_wei and max_fee_wei are needed")
	}
	return r, nil
}

// readRequest takes the four fields, each of its type.
func readRequest(body []byte) (*request, error) {
	// A map, because encoding/json fills a struct's fields whatever the case of their names.
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, errors.New("the body is no JSON object")
	}
	var id, detail, extra *string
	var kind *int64
	for name, into := range map[string]any{"request_id": &id, "request_type": &kind, "request_detail": &detail, "extra_info": &extra} {
		if err := json.Unmarshal(fields[name], into); err != nil {
			return nil, fmt.Errorf("%s is missing, or of another type", name)
		}
	}
	if id == nil || kind == nil || detail == nil || extra == nil {
		return nil, errors.New("a field is null")
	}
	if *kind == 0 {
		return &request{id: *id}, nil
	}
	read := &request{id: *id, kind: *kind}
	if *id == "" || len(*id) > 128 || !isObject(*detail, &read.detail) || !isObject(*extra, &read.extra) {
		return nil, errors.New("request_id is empty, or request_detail or extra_info holds no JSON object")
	}
	return read, nil
}

func isObject(text string, into *map[string]any) bool {
	return json.Unmarshal([]byte(text), into) == nil && *into != nil
}

func (r *rules) decide(asked *request) error {
	switch asked.kind {
	case 1:
		if r.config.AllowKeyGen {
			return nil
		}
		return errors.New("key generation is not allowed here")
	case 2:
		return r.decideSign(asked)
	default:
		return fmt.Errorf("requests of type %d are not allowed here", asked.kind)
	}
}

func (r *rules) decideSign(asked *request) error {
	hashes, _ := asked.detail["msg_hash_list"].([]any)
	paths, _ := asked.detail["bip32_path_list"].([]any)
	if len(hashes) != 1 || len(paths) != 1 || asked.detail["signature_type"] != 1.0 {
		return errors.New("one ECDSA signature can be checked at a time")
	}
	// The transaction itself, never the words beside it: what is hashed here is what will be signed.
	text, _ := at(asked.extra, "transaction", "raw_tx_info", "unsigned_raw_tx").(string)
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(raw) == 0 || len(raw) > 128<<10 {
		return errors.New("there is no raw transaction to check")
	}
	digest := keccak256(raw)
	if hashes[0] != "0x"+hex.EncodeToString(digest) {
		return errors.New("the digest is not the hash of the raw transaction")
	}
	payment, err := readPayment(raw)
	if err != nil {
		return err
	}
	if payment.chainID.Cmp(new(big.Int).SetUint64(r.config.ChainID)) != 0 {
		return errors.New("the transaction is for another chain")
	}
	if name := at(asked.extra, "transaction", "chain_id"); name != nil && name != r.config.ChainName {
		return errors.New("extra_info names another chain")
	}
	if !r.destinations[payment.to] {
		return fmt.Errorf("%s is not an allowed destination", payment.to)
	}
	if payment.amount.Cmp(r.maxAmount) > 0 {
		return fmt.Errorf("its amount of %s wei is above the limit", payment.amount)
	}
	if payment.maxFee.Cmp(r.maxFee) > 0 {
		return fmt.Errorf("its fee of up to %s wei is above the limit", payment.maxFee)
	}
	if err := checkWords(asked.extra, payment); err != nil {
		return err
	}
	path, _ := paths[0].(string)
	root, _ := asked.detail["root_pub_key"].(string)
	return r.checkIntent(asked.extra, payment, digest, root, path)
}

// checkWords refuses a screen that lies: what people were shown must be what is signed.
func checkWords(extra map[string]any, payment *payment) error {
	shown, _ := at(extra, "transaction", "destination", "account_output").(map[string]any)
	if address := shown["address"]; address != nil && address != payment.to && address != strings.ToLower(payment.to) {
		return errors.New("extra_info shows another destination, or an address with a wrong checksum")
	}
	if amount := shown["amount"]; amount != nil {
		text, _ := amount.(string)
		if wei := parseDecimal(text, 18); wei == nil || wei.Cmp(payment.amount) != 0 {
			return errors.New("extra_info shows another amount")
		}
	}
	return nil
}

// checkIntent compares what the node says that it read with what was read here, and works its hash out again: the node binds the
// signing session to that hash. The sender alone is the node's word, for only the node derives it.
func (r *rules) checkIntent(extra map[string]any, payment *payment, digest []byte, root, path string) error {
	if extra["intent"] == nil && extra["intent_hash"] == nil {
		return nil
	}
	list, _ := extra["intent"].([]any)
	if len(list) != 1 {
		return errors.New("the node's intent is not one")
	}
	shown, _ := list[0].(map[string]any)
	senders, _ := shown["from"].([]any)
	if len(senders) != 1 {
		return errors.New("the node's intent has not one sender")
	}
	from, _ := senders[0].(string)
	chain := fmt.Sprintf("eip155:%d", r.config.ChainID)
	asset := fmt.Sprintf("%s/slip44:%d", chain, r.config.CoinType)
	own := map[string]any{
		"format": "evm/transaction",
		"chain":  chain,
		"effects": []any{map[string]any{
			"kind": "transfer", "from": from, "to": payment.to, "asset": asset, "amount": payment.amount.String(),
		}},
		"fee":     map[string]any{"max": payment.maxFee.String(), "asset": asset, "unbounded": false},
		"nonce":   payment.nonce.String(),
		"digests": []any{"0x" + hex.EncodeToString(digest)},
	}
	for name, value := range own {
		if !reflect.DeepEqual(shown[name], value) {
			return fmt.Errorf("the node's intent shows another %s than the raw transaction", name)
		}
	}
	hash := "0x" + hex.EncodeToString(intentHash(payment, digest, root, path, chain, asset, from))
	if shown["intent_hash"] != hash || (extra["intent_hash"] != nil && extra["intent_hash"] != hash) {
		return errors.New("the intent hash is not that of the intent")
	}
	return nil
}

// at follows names through nested objects.
func at(value any, names ...string) any {
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}
