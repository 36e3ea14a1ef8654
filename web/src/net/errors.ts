/** A refusal by the server (stable `code`, a sentence for people), or by the network (`offline`). */
export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly hint = '',
    readonly status = 0,
  ) {
    super(message);
  }
}

/** What to show for anything that was thrown. */
export function sentence(error: unknown): string {
  if (error instanceof Refusal) return error.hint ? `${error.message} ${error.hint}` : error.message;
  return error instanceof Error ? error.message : String(error);
}
