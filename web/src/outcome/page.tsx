/** The public outcome: what every method found over all groups, as tables, with what is needed to compute it again. */
import { useEffect, useState } from 'preact/hooks';
import { maybe, t } from '../i18n';
import { getJson } from '../net/api';
import { sentence } from '../net/errors';
import { linkToken } from '../net/tokens';
import { Mark, useScreen } from '../ui/controls';
import { LanguagePicker } from '../ui/language';
import { Figures, type Json, Texts, words } from './figures';
import './outcome.css';

type Fields = Record<string, Json>;

export default function OutcomePage({ id }: { id: string }) {
  const [token] = useState(() => linkToken(`outcome.${id}`));
  const [found, setFound] = useState<Json | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const screen = useScreen(t('outcomes.title'));
  useEffect(() => {
    getJson<Json>(`/api/deliberations/${encodeURIComponent(id)}/outcomes`, token)
      .then(setFound)
      .catch((error: unknown) => setProblem(sentence(error)));
  }, []);
  const { head, results } = parts(found);
  return (
    <div class="page">
      <header class="topbar">
        <Mark />
        <LanguagePicker />
      </header>
      <main class="outcome" data-testid="outcome">
        <p class="eyebrow">{t('outcomes.title')}</p>
        <h1 dir="auto" {...screen}>{typeof head['title'] === 'string' ? head['title'] : t('outcomes.title')}</h1>
        {typeof head['question'] === 'string' && <p class="question" dir="auto">{head['question']}</p>}
        {problem && <p class="problem">{problem}</p>}
        {!problem && found === null && <p class="muted">{t('loading')}</p>}
        <Texts.Provider value={texts(head)}>
        {found !== null && results.length === 0 && <p class="lead">{t('outcomes.none')}</p>}
        <Figures value={Object.fromEntries(Object.entries(head).filter(([key]) => key !== 'title' && key !== 'question' && key !== 'id' && key !== 'statements'))} depth={1} />
        {results.map((result, index) => (
          <Method key={index} result={result} />
        ))}
        </Texts.Provider>
      </main>
    </div>
  );
}

function Method({ result }: { result: Fields }) {
  const method = typeof result['method'] === 'string' ? result['method'] : '';
  const envelope = ['version', 'seed', 'input_hash', 'parameters', 'derived_from'].filter((key) => result[key] != null);
  const shown = 'figures' in result ? (result['figures'] ?? null) : Object.fromEntries(Object.entries(result).filter(([key]) => key !== 'method' && !envelope.includes(key)));
  return (
    <section class="method" data-testid="outcome-method" data-method={method}>
      <h2>{maybe(`method.name.${method}`) ?? words(method)}</h2>
      {maybe(`method.about.${method}`) && <p class="hint">{maybe(`method.about.${method}`)}</p>}
      <Figures value={shown} depth={2} />
      <details class="envelope">
        <summary>{t('outcomes.again')}</summary>
        <Figures value={Object.fromEntries(envelope.map((key) => [key, result[key] ?? null]))} depth={3} />
      </details>
    </section>
  );
}

/** The words of the statements by their ids. */
function texts(head: Fields): ReadonlyMap<string, string> {
  const list = Array.isArray(head['statements']) ? head['statements'] : [];
  return new Map(list.flatMap((one) => (typeof one === 'object' && one !== null && !Array.isArray(one) && typeof one['id'] === 'string' && typeof one['text'] === 'string' ? [[one['id'], one['text']] as const] : [])));
}

/** Split whatever the server answers into results of methods and what stands beside them. */
function parts(found: Json | null): { head: Fields; results: Fields[] } {
  const isFields = (value: Json | undefined): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
  if (Array.isArray(found)) return { head: {}, results: found.filter(isFields) };
  if (!isFields(found ?? undefined)) return { head: {}, results: [] };
  const fields = found as Fields;
  for (const key of ['results', 'outcomes', 'methods']) {
    const list = fields[key];
    if (!list) continue;
    const head = Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key));
    if (Array.isArray(list)) return { head, results: list.filter(isFields) };
    if (isFields(list)) return { head, results: Object.entries(list).map(([method, value]) => ({ method, ...(isFields(value) ? value : { figures: value }) })) };
  }
  return { head: fields, results: [] };
}

