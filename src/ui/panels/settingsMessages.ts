/** What the Settings page may send. A file of its own: zod stays out of the path that activates the extension. */
import * as z from "zod";
import { settingProblem } from "../../rpc/settingSchema";
import type { FromSettingsPage } from "../../rpc/settingsPanel";
import { settingEntries } from "../config";
import { SETTINGS } from "../contributions";

export const FROM_SETTINGS_PAGE: z.ZodType<FromSettingsPage> = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("ready") }),
    z.object({
      type: z.literal("set"),
      key: z.enum(SETTINGS),
      value: z.union([z.boolean(), z.number(), z.string(), z.array(z.string())]),
    }),
    z.object({ type: z.literal("reset"), key: z.enum(SETTINGS) }),
    z.object({ type: z.literal("choose"), key: z.enum(SETTINGS) }),
    z.object({ type: z.literal("openNative") }),
  ])
  .refine((message) => {
    if (message.type !== "set") return true;
    const entry = settingEntries().find(([key]) => key === message.key)?.[1];
    return entry !== undefined && settingProblem(entry, message.value) === undefined;
  });
