/** The public outcome: what the groups found together, each number opening onto what it rests on, and how to compute it again. */
import { useEffect, useState } from 'preact/hooks';
import { maybe, t } from '../i18n';
import { download, getJson } from '../net/api';
import { sentence } from '../net/errors';
import { linkToken } from '../net/tokens';
import type { OutcomeResult, Outcomes } from '../protocol/types';
import { announce } from '../ui/announce';
import { useScreen } from '../ui/controls';
import { Icon } from '../ui/icons';
import { toast } from '../ui/toast';
import { TopBar } from '../ui/topbar';
import { type Found, found as read } from './data';
import { Figures, type Json, words } from './figures';
import { SECTIONS } from './methods';
import { AllStatements } from './sections';
import './outcome.css';

const DRAFTING_MS = 5000; // between two looks whether a model has finished writing

export default function OutcomePage({ id }: { id: string }) {
  const [token] = useState(() => linkToken(`outcome.${id}`));
  const [outcomes, setOutcomes] = useState<Outcomes | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const screen = useScreen(t('outcomes.title'));
  const base = `/api/deliberations/${encodeURIComponent(id)}`;
  const load = () => {
    setProblem(null);
    getJson<Outcomes>(`${base}/outcomes`, token)
      .then(setOutcomes)
      .catch((error: unknown) => setProblem(sentence(error)));
  };
  useEffect(() => {
    load();
    // On paper nothing can be unfolded.
    const unfold = () => document.querySelectorAll('details').forEach((one) => (one.open = true));
    addEventListener('beforeprint', unfold);
    return () => removeEventListener('beforeprint', unfold);
  }, []);
  const drafting = outcomes?.drafting === true;
  useEffect(() => {
    if (!drafting) return;
    // A look that fails is no problem of the reader's, who has an outcome: the next one may not.
    const look = () =>
      getJson<Outcomes>(`${base}/outcomes`, token)
        .then((found) => {
          if (!found.drafting && found.results.some((one) => JSON.stringify(one.figures).includes('"method":"model"'))) announce(t('outcomes.drafted'));
          setOutcomes(found);
        })
        .catch(() => undefined)
        .finally(() => (timer = setTimeout(look, DRAFTING_MS)));
    let timer = setTimeout(look, DRAFTING_MS);
    return () => clearTimeout(timer);
  }, [drafting]);
  const found = outcomes && read(outcomes);
  return (
    <div class="page">
      <TopBar />
      <main class="outcome" data-testid="outcome">
        <p class="eyebrow">{t('outcomes.title')}</p>
        <h1 {...screen} dir="auto">
          {outcomes?.title ?? t('outcomes.title')}
        </h1>
        {outcomes && (
          <p class="question" dir="auto">
            {outcomes.question}
          </p>
        )}
        {problem && (
          <p class="problem" role="alert">
            {problem}{' '}
            <button type="button" class="link" onClick={load}>
              {t('retry')}
            </button>
          </p>
        )}
        {!problem && !outcomes && <p class="muted">{t('loading')}</p>}
        {found && <Facts outcomes={found.outcomes} />}
        {drafting && (
          <p class="note" data-testid="drafting">
            {t('outcomes.drafting')}
          </p>
        )}
        {found?.outcomes.results.length === 0 && <p class="lead">{t('outcomes.none')}</p>}
        {found?.outcomes.results.map((result) => (
          <Method key={`${result.method} ${result.title}`} found={found} result={result} />
        ))}
        {found && <Check found={found} base={base} token={token} />}
      </main>
    </div>
  );
}

function Facts({ outcomes }: { outcomes: Outcomes }) {
  const facts = [
    [t('outcomes.people'), outcomes.people],
    [t('outcomes.rooms'), outcomes.rooms],
    [t('outcomes.rounds'), outcomes.rounds],
    [t('outcomes.statements'), outcomes.items.filter((item) => item.kind === 'statement').length],
  ] as const;
  return (
    <>
      <dl class="outcome-facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {outcomes.rooms_open > 0 && <p class="note">{t('outcomes.stillOpen', { n: outcomes.rooms_open })}</p>}
      <p class="hint">{t(outcomes.full ? 'outcomes.full' : 'outcomes.public', { n: outcomes.minimum })}</p>
    </>
  );
}

function Method({ found, result }: { found: Found; result: OutcomeResult }) {
  const Section = SECTIONS[result.method];
  const about = maybe(`method.about.${result.method}`);
  return (
    <section class="method" data-testid="outcome-method" data-method={result.method}>
      <h2>
        {maybe(`method.name.${result.method}`) ?? words(result.method)}
        {result.title && <span dir="auto">: {result.title}</span>}
      </h2>
      {about && <p class="hint">{about}</p>}
      {Section ? <Section found={found} figures={result.figures} result={result} /> : <Figures value={result.figures as Json} depth={2} />}
      <details class="envelope">
        <summary>{t('outcomes.again')}</summary>
        <Figures value={{ version: result.version, seed: result.seed, input_hash: result.input_hash, parameters: result.parameters as Json }} depth={3} />
      </details>
    </section>
  );
}

/** Everything a sceptic needs: the statements, the process card, and with a researcher's link the record itself. */
function Check({ found, base, token }: { found: Found; base: string; token: string | null }) {
  const { outcomes } = found;
  const files = [
    ['card', `${base}/process-card?format=md`, 'process-card.md'],
    ...(outcomes.results.some((one) => one.method === 'credit') ? ([['prov', `${base}/provenance`, 'provenance.json']] as const) : []),
    ...(outcomes.full
      ? ([
          ['record', `${base}/record`, 'record.json'],
          ['run', `${base}/run-report?format=md`, 'run-report.md'],
          ['votes', `${base}/polis/votes.csv`, 'votes.csv'],
        ] as const)
      : []),
  ] as ReadonlyArray<readonly ['card' | 'prov' | 'record' | 'run' | 'votes', string, string]>;
  const refused = Object.entries(outcomes.refused);
  return (
    <section class="method">
      <h2>{t('outcomes.check')}</h2>
      <p>{t('outcomes.check.text')}</p>
      <AllStatements found={found} />
      <p class="buttons">
        {files.map(([what, path, name]) => (
          <button
            key={what}
            type="button"
            class="button small"
            data-testid={`download-${what}`}
            onClick={() => void download(path, token, name).catch((error: unknown) => toast(sentence(error), 'problem'))}
          >
            <Icon name="download" />
            {t(`outcomes.file.${what}`)}
          </button>
        ))}
      </p>
      {refused.length > 0 && (
        <dl class="refused">
          {refused.map(([method, why]) => (
            <div key={method}>
              <dt>{maybe(`method.name.${method}`) ?? words(method)}</dt>
              <dd class="muted">{why}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
