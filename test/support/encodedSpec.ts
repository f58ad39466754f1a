/** Specifications on their way between a task and the host of its session: encoded for tests that build them, decoded for hosts on this thread. */
import { encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import type { EncodedSpec, HostIo, RunningSession, SessionSpec } from "../../src/mpc/session.ts"
import type { StartSession } from "../../src/tasks/ports.ts"
import { decodedSpec } from "../../src/workers/messages.ts"

/** As the store would hand it out; the secret stays the caller's. */
export function encodedSpec(spec: SessionSpec): EncodedSpec {
  switch (spec.protocol) {
    case "dkg":
      return spec
    case "sign":
      return { ...spec, secret: encodeGroupSecret(spec.secret) }
    case "reshare": {
      const { old } = spec
      return { ...spec, old: old && { group: old.group, secret: old.secret && encodeGroupSecret(old.secret) } }
    }
  }
}

/** A host of this thread as tasks see it. */
export const onThisThread =
  (host: (spec: SessionSpec, io: HostIo) => RunningSession): StartSession =>
  (spec, io) =>
    host(decodedSpec(spec), io)
