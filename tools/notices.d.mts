/** The file's name in the project and in the package. */
export const NOTICES: string;
/** The text of the notices for all programs of the project, as they are now. */
export function currentNotices(): Promise<string>;
