import { t } from '../i18n';
import { Refusal } from './errors';

/** One HTTP request with the page's token; throws `Refusal`. A string body is sent as it is (YAML), anything else as JSON. */
export async function request(method: string, path: string, token: string | null, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = {};
  if (token) headers['Authorization'] = `Bearer ${token}`;
  let content: string | undefined;
  if (typeof body === 'string') {
    headers['Content-Type'] = 'application/yaml';
    content = body;
  } else if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
    content = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, { method, headers, body: content, cache: 'no-store' });
  } catch {
    throw new Refusal('offline', t('error.offline'), t('error.offline.hint'));
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => null)) as { error?: { code: string; message: string; hint?: string } } | null;
  const error = problem?.error;
  throw new Refusal(error?.code ?? `http_${response.status}`, error?.message ?? t('error.server'), error?.hint ?? '', response.status);
}

export async function getJson<T>(path: string, token: string | null): Promise<T> {
  return (await request('GET', path, token)).json() as Promise<T>;
}

export async function postJson<T>(path: string, token: string | null, body?: unknown): Promise<T> {
  const response = await request('POST', path, token, body ?? {});
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Fetch a file with the page's token and hand it to the browser's downloads under the server's name for it. */
export async function download(path: string, token: string | null, fallbackName: string): Promise<void> {
  const response = await request('GET', path, token);
  const named = /filename="?([^";]+)"?/.exec(response.headers.get('Content-Disposition') ?? '');
  const url = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = url;
  link.download = named?.[1] ?? fallbackName;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
