export function stringsOfSources(root: string): Record<string, string>;
export function faultsOf(english: Record<string, string>, translated: Record<string, string>): string[];
