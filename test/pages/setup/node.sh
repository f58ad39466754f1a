# A node's folder as `cosigner init` leaves it, with a configuration for a WaaS that is not there. The shell stands in it.
mkdir node && cd node
head -c 32 /dev/urandom | base64 > .password && chmod 600 .password
cosigner init --key-file .password > init.txt
waas_key=$(cosigner waas init --dir ../waas | sed -n "s/.*for the nodes): //p")
cat > configs/cosigner.toml <<END
danger_allow_unguarded_signing = true
[db]
key_file = ".password"
[websocket]
url = "ws://127.0.0.1:9/ws"
waas_public_key = "$waas_key"
END
