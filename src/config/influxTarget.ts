/** Reads [metrics.influxdb]: which server, of which version, with which login. */
import { CosignerError } from "../errors.ts"

export interface InfluxTarget {
  /** `http://host:8086`, without user or password. */
  readonly url: string
  /** `Token ...`; 1.8 takes `user:password` for one. */
  readonly token: string
  readonly org: string
  /** 1.8: `database/`, in its default retention policy. */
  readonly bucket: string
}

interface InfluxKeys {
  readonly server_addr?: string | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly org?: string | undefined
  readonly bucket?: string | undefined
  readonly token?: string | undefined
}

/** The server that [metrics.influxdb] names; undefined without a server. Throws E-STA-021 for keys that do not fit together. */
export function influxTarget(keys: InfluxKeys): InfluxTarget | undefined {
  const { server_addr: url, database, username, password, org, bucket, token } = keys
  const refuse = (problem: string): never => {
    throw new CosignerError("E-STA-021", { problem })
  }
  const isV1 = database !== undefined || username !== undefined || password !== undefined
  const isV2 = org !== undefined || bucket !== undefined || token !== undefined
  if (url === undefined) return isV1 || isV2 ? refuse("server_addr is missing") : undefined
  if (isV1 && isV2) return refuse("database, username and password are of 1.8; org, bucket and token of 2.x")
  if (database !== undefined) {
    if ((username === undefined) !== (password === undefined)) return refuse("username and password go together")
    return {
      url,
      token: username === undefined ? "" : `${username}:${password ?? ""}`,
      org: "-",
      bucket: `${database}/`,
    }
  }
  if (org === undefined || bucket === undefined || token === undefined)
    return refuse(isV2 ? "2.x needs org, bucket and token" : "neither a database (1.8) nor org, bucket and token (2.x)")
  return { url, token, org, bucket }
}
