// Decodes what arrives, strictly: it may be anything that another user aimed here.

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export type Json = Record<string, unknown>;

/** One JSON object with nothing behind it, or undefined. */
export function parseObject(data: Uint8Array): Json | undefined {
  try {
    const v: unknown = JSON.parse(utf8.decode(data));
    return isObject(v) ? v : undefined;
  } catch {
    return undefined;
  }
}

export function isObject(v: unknown): v is Json {
  return typeof v === "object" && v !== null && !Array.isArray(v);
}

export const isString = (v: unknown): v is string => typeof v === "string";
export const isCount = (v: unknown): v is number => Number.isSafeInteger(v) && (v as number) >= 0;
export const isStrings = (v: unknown): v is string[] => Array.isArray(v) && v.every(isString);

/** Whether v is absent or passes. */
export const optional = (v: unknown, test: (v: unknown) => boolean) => v === undefined || v === null || test(v);
