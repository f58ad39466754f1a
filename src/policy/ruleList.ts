/** Every rule of rules/. Written by `npm run docs`; nothing here is typed by hand. */
import type { AnyRule } from "./rule.ts"
import { allow } from "./rules/allow.ts"
import { allowedGroups } from "./rules/allowedGroups.ts"
import { allowedPaths } from "./rules/allowedPaths.ts"
import { allowedRootKeys } from "./rules/allowedRootKeys.ts"
import { approvals } from "./rules/approvals.ts"
import { approvalsOfSetup } from "./rules/approvalsOfSetup.ts"
import { blindPaths } from "./rules/blindPaths.ts"
import { curves } from "./rules/curves.ts"
import { deny } from "./rules/deny.ts"
import { extraInfoPresent } from "./rules/extraInfoPresent.ts"
import { forbiddenNodeIds } from "./rules/forbiddenNodeIds.ts"
import { keyGenAllowList } from "./rules/keyGenAllowList.ts"
import { keyReshareAllowList } from "./rules/keyReshareAllowList.ts"
import { limits } from "./rules/limits.ts"
import { maxBatch } from "./rules/maxBatch.ts"
import { rejectAll } from "./rules/rejectAll.ts"
import { requiredNodeIds } from "./rules/requiredNodeIds.ts"
import { signatureTypes } from "./rules/signatureTypes.ts"
import { timeWindows } from "./rules/timeWindows.ts"

export const LISTED: readonly AnyRule[] = [
  allow,
  allowedGroups,
  allowedPaths,
  allowedRootKeys,
  approvals,
  approvalsOfSetup,
  blindPaths,
  curves,
  deny,
  extraInfoPresent,
  forbiddenNodeIds,
  keyGenAllowList,
  keyReshareAllowList,
  limits,
  maxBatch,
  rejectAll,
  requiredNodeIds,
  signatureTypes,
  timeWindows,
]
