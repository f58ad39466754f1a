"""Calls the published Python SDK against a WaaS of ours: one JSON line per call, with the type that its answer has.

argv[1]: JSON with host, response_key, api_secret (hex), nodes [[name, node id]], hook (webhook URL), to (an EVM address).
A call that the SDK's models cannot read, or that answers an error, prints {"call", "error"} and the script goes on.
"""
import json
import sys
import time
import uuid

import cobo_waas2 as sdk

given = json.loads(sys.argv[1])


class Configuration(sdk.Configuration):
    """The SDK chooses the key that answers are verified with by the host; for a host of ours it is told."""

    @property
    def resp_pubkey(self):
        return given["response_key"]


client = sdk.ApiClient(Configuration(api_private_key=given["api_secret"], host=given["host"]))
mpc = sdk.WalletsMPCWalletsApi(client)
wallets = sdk.WalletsApi(client)
transactions = sdk.TransactionsApi(client)
webhooks = sdk.DevelopersWebhooksApi(client)
developers = sdk.DevelopersApi(client)
organizations = sdk.OrganizationsApi(client)


def call(name, method, *args, **kwargs):
    try:
        answer = method(*args, **kwargs)
        kind = type(answer[0]).__name__ + "[]" if isinstance(answer, list) and answer else type(answer).__name__
        print(json.dumps({"call": name, "type": kind}), flush=True)
        return answer
    except Exception as error:  # the reason is what the test shows
        print(json.dumps({"call": name, "error": f"{type(error).__name__}: {str(error)[:600]}"}), flush=True)
        return None


def until(what, ask, done):
    end = time.time() + 60
    while time.time() < end:
        answer = ask()
        if done(answer):
            return answer
        time.sleep(0.1)
    raise SystemExit(f"{what} did not come in time")


call("organizations.info", organizations.get_org_info)
call("mpc.cobo_key_share_holders", mpc.list_cobo_key_holders)

project = call("projects.create", mpc.create_mpc_project, sdk.CreateMpcProjectRequest(name="p", participants=3, threshold=2))
call("projects.list", mpc.list_mpc_projects)
call("projects.get", mpc.get_mpc_project_by_id, project.project_id)
call("projects.update", mpc.update_mpc_project_by_id, project.project_id, sdk.UpdateMpcProjectByIdRequest(name="q"))

vault = call("vaults.create", mpc.create_mpc_vault, sdk.CreateMpcVaultRequest(
    name="v", vault_type=sdk.MPCVaultType.USER_CONTROLLED, project_id=project.project_id))
call("vaults.list", mpc.list_mpc_vaults, sdk.MPCVaultType.USER_CONTROLLED)
call("vaults.get", mpc.get_mpc_vault_by_id, vault.vault_id)
call("vaults.update", mpc.update_mpc_vault_by_id, vault.vault_id, sdk.UpdateMpcVaultByIdRequest(name="w"))


def new_group(kind, nodes, threshold=2):
    return sdk.CreateKeyShareHolderGroupRequest(
        key_share_holder_group_type=kind, participants=len(nodes), threshold=threshold,
        key_share_holders=[sdk.CreateKeyShareHolder(name=name, type=sdk.KeyShareHolderType.API, tss_node_id=node, signer=True)
                           for name, node in nodes])


nodes = given["nodes"]
group = call("groups.create", mpc.create_key_share_holder_group, vault.vault_id, new_group(sdk.KeyShareHolderGroupType.MAINGROUP, nodes[:3]))
call("groups.list", mpc.list_key_share_holder_groups, vault.vault_id)
call("groups.get", mpc.get_key_share_holder_group_by_id, vault.vault_id, group.key_share_holder_group_id)
call("holders.list", mpc.list_key_share_holders, vault.vault_id)
call("holders.get", mpc.get_key_share_holder_by_tss_node_id, vault.vault_id, given["nodes"][0][1])
signing = sdk.KeyShareHolderGroupType.SIGNINGGROUP
unused = call("groups.create (signing)", mpc.create_key_share_holder_group, vault.vault_id, new_group(signing, nodes[3:5]))
call("groups.delete", mpc.delete_key_share_holder_group_by_id, vault.vault_id, unused.key_share_holder_group_id)

print(json.dumps({"start": "nodes"}), flush=True)
sys.stdin.readline()

endpoint = call("webhooks.endpoints.create", webhooks.create_webhook_endpoint, create_webhook_endpoint_request=sdk.CreateWebhookEndpointRequest(
    url=given["hook"], subscribed_events=["wallets.mpc.tss_request.succeeded", "wallets.transaction.succeeded"], description="d"))

request = call("tss_requests.create", mpc.create_tss_request, vault.vault_id, sdk.CreateTssRequestRequest(
    type=sdk.TSSRequestType.KEYGEN, target_key_share_holder_group_id=group.key_share_holder_group_id))
call("tss_requests.list", mpc.list_tss_requests, vault.vault_id, group.key_share_holder_group_id)
until("the key generation", lambda: mpc.get_tss_request_by_id(vault.vault_id, request.tss_request_id),
      lambda found: found.status in ("Success", sdk.TSSRequestStatus.SUCCESS))
call("tss_requests.get", mpc.get_tss_request_by_id, vault.vault_id, request.tss_request_id)
dealers = sdk.SourceGroup(key_share_holder_group_id=group.key_share_holder_group_id)


def from_group(name, target):
    return call(name, mpc.create_tss_request, vault.vault_id, sdk.CreateTssRequestRequest(
        type=sdk.TSSRequestType.KEYGENFROMKEYGROUP, target_key_share_holder_group_id=target.key_share_holder_group_id,
        source_key_share_holder_group=dealers))


absent = call("groups.create (with a node that is away)", mpc.create_key_share_holder_group, vault.vault_id, new_group(signing, nodes[4:6]))
pending = from_group("tss_requests.create (to cancel)", absent)
call("tss_requests.cancel", mpc.cancel_tss_request_by_id, vault.vault_id, pending.tss_request_id)
second = call("groups.create (second)", mpc.create_key_share_holder_group, vault.vault_id, new_group(signing, nodes[3:5]))
asked = from_group("tss_requests.create (KeyGenFromKeyGroup)", second)
until("the second group", lambda: mpc.get_tss_request_by_id(vault.vault_id, asked.tss_request_id),
      lambda found: found.status == sdk.TSSRequestStatus.SUCCESS)

call("chains.supported", wallets.list_supported_chains)
call("chains.enabled", wallets.list_enabled_chains)
call("chains.get", wallets.get_chain_by_id, "ETH")
call("tokens.supported", wallets.list_supported_tokens)
call("tokens.enabled", wallets.list_enabled_tokens)
call("tokens.get", wallets.get_token_by_id, "ETH")
wallet = call("wallets.create", wallets.create_wallet, create_wallet_params=sdk.CreateWalletParams(sdk.CreateMpcWalletParams(
    name="wallet", wallet_type=sdk.WalletType.MPC, wallet_subtype=sdk.WalletSubtype.USER_CONTROLLED, vault_id=vault.vault_id)))
wallet_id = wallet.actual_instance.wallet_id
call("wallets.list", wallets.list_wallets)
call("wallets.get", wallets.get_wallet_by_id, wallet_id)
call("wallets.update", wallets.update_wallet_by_id, wallet_id,
     update_wallet_params=sdk.UpdateWalletParams(sdk.UpdateMpcWalletParams(wallet_type=sdk.WalletType.MPC, name="renamed")))
made = call("addresses.create", wallets.create_address, wallet_id, create_address_request=sdk.CreateAddressRequest(chain_id="ETH", count=2))
call("addresses.create (taproot)", wallets.create_address, wallet_id,
     create_address_request=sdk.CreateAddressRequest(chain_id="BTC", count=1, encoding=sdk.AddressEncoding.ENCODING_P2_TR))
call("addresses.list", wallets.list_addresses, wallet_id)

address = made[0].address
kind = "User-Controlled"


def signed(what, transaction_id):
    found = until(what, lambda: transactions.get_transaction_by_id(transaction_id),
                  lambda found: found.status not in ("Submitted", "PendingSignature", sdk.TransactionStatus.SUBMITTED, sdk.TransactionStatus.PENDINGSIGNATURE))
    print(json.dumps({"signed": what, "status": str(getattr(found.status, "value", found.status)),
                      "failed_reason": found.failed_reason,
                      "signature": found.result.actual_instance.signature if found.result else None,
                      "raw_tx": found.raw_tx_info.raw_tx if found.raw_tx_info else None, "address": address}), flush=True)
    return found


asked = call("message_sign", transactions.create_message_sign_transaction, message_sign_params=sdk.MessageSignParams(
    request_id=str(uuid.uuid4()), chain_id="ETH",
    source=sdk.MessageSignSource(sdk.MpcMessageSignSource(source_type=kind, wallet_id=wallet_id, address=address)),
    destination=sdk.MessageSignDestination(sdk.EvmEIP191MessageSignDestination(destination_type="EVM_EIP_191_Signature", message="aGVsbG8="))))
signed("message", asked.transaction_id)

source = sdk.TransferSource(sdk.MpcTransferSource(source_type=kind, wallet_id=wallet_id, address=address))
destination = sdk.TransferDestination(sdk.AddressTransferDestination(
    destination_type="Address", account_output=sdk.AddressTransferDestinationAccountOutput(address=given["to"], amount="0.5")))
call("estimate_fee", transactions.estimate_fee, estimate_fee_params=sdk.EstimateFeeParams(sdk.EstimateTransferFeeParams(
    request_type="Transfer", source=source, token_id="ETH", destination=destination)))
asked = call("transfer (SignOnly)", transactions.create_transfer_transaction, transfer_params=sdk.TransferParams(
    request_id=str(uuid.uuid4()), source=source, token_id="ETH", destination=destination, transaction_process_type="SignOnly"))
signed("transfer", asked.transaction_id)
call("broadcast", transactions.broadcast_signed_transactions,
     broadcast_signed_transactions_request=sdk.BroadcastSignedTransactionsRequest(transaction_ids=[asked.transaction_id]))
contract = dict(request_id=str(uuid.uuid4()), chain_id="ETH",
                source=sdk.ContractCallSource(sdk.MpcContractCallSource(source_type=kind, wallet_id=wallet_id, address=address)),
                destination=sdk.ContractCallDestination(sdk.EvmContractCallDestination(
                    destination_type="EVM_Contract", address=given["to"], value="0", calldata="0x")))
asked = call("contract_call (BuildOnly)", transactions.create_contract_call_transaction,
             contract_call_params=sdk.ContractCallParams(**contract, transaction_process_type="BuildOnly"))
call("sign_and_broadcast", transactions.sign_and_broadcast_transaction_by_id, asked.transaction_id)
call("transactions.list", transactions.list_transactions)
call("transactions.get", transactions.get_transaction_by_id, asked.transaction_id)
call("transactions.approval_detail", transactions.get_transaction_approval_detail, asked.transaction_id)
call("transactions.approval_details", transactions.list_transaction_approval_details, transaction_ids=asked.transaction_id)
contract["request_id"] = str(uuid.uuid4())
asked = call("contract_call (to cancel)", transactions.create_contract_call_transaction,
             contract_call_params=sdk.ContractCallParams(**contract, transaction_process_type="BuildOnly"))
call("transactions.cancel", transactions.cancel_transaction_by_id, asked.transaction_id)
call("groups.update", mpc.update_key_share_holder_group_by_id, vault.vault_id, second.key_share_holder_group_id,
     sdk.UpdateKeyShareHolderGroupByIdRequest(update_key_share_holder_group_action=sdk.UpdateGroupAction.UPGRADETOMAINGROUP))
call("wallets.delete", wallets.delete_wallet_by_id, wallet_id)

call("webhooks.endpoints.list", webhooks.list_webhook_endpoints)
call("webhooks.endpoints.get", webhooks.get_webhook_endpoint_by_id, endpoint.endpoint_id)
call("webhooks.endpoints.update", webhooks.update_webhook_endpoint_by_id, endpoint.endpoint_id,
     update_webhook_endpoint_by_id_request=sdk.UpdateWebhookEndpointByIdRequest(description="e"))
call("webhooks.definitions", webhooks.list_webhook_event_definitions)
events = call("webhooks.events.list", webhooks.list_webhook_events, endpoint.endpoint_id)
event = events.data[0]
call("webhooks.events.get", webhooks.get_webhook_event_by_id, event.event_id, endpoint.endpoint_id)
until("a delivery", lambda: webhooks.list_webhook_event_logs(event.event_id, endpoint.endpoint_id), lambda found: found.data)
call("webhooks.events.logs", webhooks.list_webhook_event_logs, event.event_id, endpoint.endpoint_id)
call("developers.callback_messages", developers.list_callback_messages)
print(json.dumps({"end": True}), flush=True)
