# A WaaS, nodes a to d of which a, b, c share a vault 2 of 3, running. $vault and $group are set, the client's profile names the vault.
mkdir vault && cd vault
cosigner waas init --dir waas > /dev/null
cosigner waas start --dir waas --listen 127.0.0.1:0 2> waas.log &
until grep -qs "WaaS listening" waas.log; do sleep 0.1; done
url=$(sed -n 's/.*WaaS listening on \(http[^"]*\)".*/\1/p' waas.log)
response_key=$(cosigner waas info --dir waas | sed -n 's/.*for REST clients): //p')
cosigner waas key create --dir waas --name docs --public-key $(
  cosigner client init --url $url --response-key $response_key | sed -n 's/^API key: //p') > /dev/null
for node in a b c d; do
  mkdir $node && head -c 32 /dev/urandom | base64 > $node/.password && chmod 600 $node/.password
  (cd $node && cosigner init --key-file .password > ../$node.txt
    cat > configs/cosigner.toml <<END
danger_allow_unguarded_signing = true
[db]
key_file = ".password"
[websocket]
url = "ws${url#http}/ws"
waas_public_key = "$(cosigner waas info --dir ../waas | sed -n 's/.*for the nodes): //p')"
[status]
enable = true
listen = "unix:$PWD/status.sock"
END
  )
done
id_of() { sed -n 's/^Initialize Node ID: //p' $1.txt; }
vault=$(cosigner client vault create docs | sed -n 's/^Vault: //p')
sed -i "s/^\[client\]/[client]\nvault = \"$vault\"/" client.toml
group=$(cosigner client group create --threshold 2 --node a=$(id_of a) --node b=$(id_of b) --node c=$(id_of c) | sed -n 's/^Group: //p')
for node in a b c; do (cd $node && exec cosigner start 2> ../$node.log) & echo $! > $node.pid; done
cosigner client group keygen $group --wait > keys.txt
