/**
 * The interface in English, Spanish and Arabic. One JSON file per language; `en.json` defines the keys. A text that counts something is an
 * object by plural category (Intl.PluralRules) and is chosen by the parameter `n`. What people or the server wrote is never translated here.
 */
import { signal } from '@preact/signals';
import en from './en.json';

export type Key = keyof typeof en;
type Text = string | Partial<Record<Intl.LDMLPluralRule, string>>;
type Catalogue = Record<string, Text>;

export const LANGUAGES = { en: 'English', es: 'Español', ar: 'العربية' } as const;
export type Language = keyof typeof LANGUAGES;

const loaded: Partial<Record<Language, Catalogue>> = { en };
export const language = signal<Language>('en');

export function isLanguage(value: string | null | undefined): value is Language {
  return value != null && value in LANGUAGES;
}

/** Switch the interface; resolves when its texts are there. */
export async function setLanguage(next: Language): Promise<void> {
  if (next === 'es') loaded.es ??= (await import('./es.json')).default;
  if (next === 'ar') loaded.ar ??= (await import('./ar.json')).default;
  language.value = next;
  document.documentElement.lang = next;
  document.documentElement.dir = next === 'ar' ? 'rtl' : 'ltr';
}

/** The text for `key`, with `{name}` replaced by `values.name`. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const text: Text = loaded[language.value]?.[key] ?? en[key];
  const chosen = typeof text === 'string' ? text : plural(text, Number(values['n'] ?? 0));
  return chosen.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === 'number' ? number(value) : value;
  });
}

/** The text for a key made from data (a rule's name), or null where the catalogues have none. */
export function maybe(key: string, values: Record<string, string | number> = {}): string | null {
  return key in en ? t(key as Key, values) : null;
}

export function number(value: number, digits = 1): string {
  return new Intl.NumberFormat(language.value, { maximumFractionDigits: digits }).format(value);
}

/** A day, as the page's language writes it (`seconds` since 1970, in this browser's time zone). */
export function date(seconds: number): string {
  return new Intl.DateTimeFormat(language.value, { dateStyle: 'medium' }).format(seconds * 1000);
}

/** A moment with its time zone. */
export function dateTime(seconds: number): string {
  return new Intl.DateTimeFormat(language.value, { year: 'numeric', month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit', timeZoneName: 'short' }).format(seconds * 1000);
}

export function percent(share: number): string {
  return new Intl.NumberFormat(language.value, { style: 'percent', maximumFractionDigits: 0 }).format(share);
}

function plural(forms: Partial<Record<Intl.LDMLPluralRule, string>>, n: number): string {
  if (n === 0 && forms.zero !== undefined) return forms.zero;
  return forms[new Intl.PluralRules(language.value).select(n)] ?? forms.other ?? '';
}
