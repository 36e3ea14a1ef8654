import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import ar from '../src/i18n/ar.json';
import en from '../src/i18n/en.json';
import es from '../src/i18n/es.json';

type Catalogue = Record<string, string | Record<string, string>>;
const catalogues: Record<string, Catalogue> = { en, es, ar };
const parameters = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const forms = (text: string | Record<string, string>) => (typeof text === 'string' ? [text] : Object.values(text));

/** Every source file of the pages. */
function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? sources(path) : /\.tsx?$/.test(entry.name) ? [readFileSync(path, 'utf8')] : [];
  });
}

describe.each(['es', 'ar'])('the catalogue %s', (code) => {
  const catalogue = catalogues[code] as Catalogue;

  it('has every text of the English one, and no other', () => {
    expect(Object.keys(catalogue).sort()).toEqual(Object.keys(en).sort());
  });

  it('counts in every plural category of its language', () => {
    const categories = new Intl.PluralRules(code).resolvedOptions().pluralCategories.filter((category) => !(code === 'es' && category === 'many'));
    const lacking = Object.entries(en as Catalogue)
      .filter(([key, text]) => typeof text !== 'string' && 'one' in text && !('zero' in text && key.startsWith('waiting')))
      .filter(([key]) => {
        const text = catalogue[key];
        return typeof text !== 'object' || categories.some((category) => !(category in text));
      })
      .map(([key]) => key);
    expect(lacking).toEqual([]);
  });

  it('takes no parameter that the English text does not have', () => {
    const wrong = Object.entries(catalogue).filter(([key, text]) => {
      const known = new Set(forms((en as Catalogue)[key] ?? '').flatMap(parameters));
      return forms(text).flatMap(parameters).some((name) => !known.has(name ?? ''));
    });
    expect(wrong.map(([key]) => key)).toEqual([]);
  });
});

it('every text of the catalogue is used, or belongs to a family whose keys are made from data', () => {
  const text = sources('src').join('\n');
  const made = [...text.matchAll(/`([\w.]+)\.?\$\{/g)].map((match) => match[1] as string);
  const unused = Object.keys(en).filter((key) => !text.includes(`'${key}'`) && !made.some((family) => key.startsWith(family)));
  expect(unused).toEqual([]);
});
