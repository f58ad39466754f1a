/** The signing requests whose tasks are at work, as the store has them or will have them with the next commit; by id and by request_id. */
import type { SignRequest } from "../store/model.ts"

export class SigningAtWork {
  readonly #requests = new Map<string, SignRequest>()
  readonly #ids = new Map<string, string>()

  get(signRequestId: string): SignRequest | undefined {
    return this.#requests.get(signRequestId)
  }

  /** The request that came under this request_id. */
  under(requestId: string): SignRequest | undefined {
    return this.#requests.get(this.#ids.get(requestId) ?? "")
  }

  keep(record: SignRequest): void {
    this.#requests.set(record.signRequestId, record)
    this.#ids.set(record.requestId, record.signRequestId)
  }

  forget(signRequestId: string): void {
    const known = this.#requests.get(signRequestId)
    if (known !== undefined) this.#ids.delete(known.requestId)
    this.#requests.delete(signRequestId)
  }

  clear(): void {
    this.#requests.clear()
    this.#ids.clear()
  }
}
