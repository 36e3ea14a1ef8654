/** The organisers' page: a design, as a form or as the file it writes, checked as one types; then its links, its invitations and how it goes. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { getJson, postJson, request } from '../net/api';
import { Refusal, sentence } from '../net/errors';
import { linkToken, write } from '../net/tokens';
import type { DeliberationLinks } from '../protocol/types';
import { Tabs, useDraft, useScreen } from '../ui/controls';
import { TopBar } from '../ui/topbar';
import { DesignForm } from './form';
import { Links, LinkList } from './links';
import { TEMPLATES } from './templates';
import { type Given, yamlOf } from './yaml';
import './organise.css';

const CHECK_AFTER_MS = 500;

export default function OrganisePage() {
  const [token, setToken] = useState(() => linkToken('admin'));
  return (
    <div class="page">
      <TopBar />
      {token ? <Organise token={token} onRefused={() => setToken(null)} /> : <Welcome onToken={setToken} />}
    </div>
  );
}

/** What this server is, for whoever comes without a link. */
function Welcome({ onToken }: { onToken: (token: string) => void }) {
  const [text, setText] = useState('');
  const screen = useScreen(t('organise.welcome'));
  return (
    <main class="column">
      <h1 {...screen}>{t('organise.welcome')}</h1>
      <p class="lead">{t('organise.welcome.text')}</p>
      <p>
        {t('organise.welcome.link')} <a href="/docs">{t('docs.title')}</a>
      </p>
      <form
        class="aside-box stack"
        onSubmit={(event) => {
          event.preventDefault();
          const token = text.trim().replace(/^.*#k=/, '');
          write(sessionStorage, 'parley.link.admin', token);
          onToken(token);
        }}
      >
        <label for="admin-token">{t('organise.token')}</label>
        <input id="admin-token" type="password" autoComplete="off" value={text} data-testid="admin-token" onInput={(event) => setText(event.currentTarget.value)} />
        <button type="submit" class="button" disabled={text.trim() === ''}>
          {t('organise.enter')}
        </button>
      </form>
    </main>
  );
}

type Check = { state: 'empty' | 'checking' } | { state: 'good'; design: Summary } | { state: 'bad'; message: string };

interface Summary {
  id: string;
  title: string;
  stages: Array<{ title: string; kind: string; minutes: number | null }>;
  groups: { min_size: number; target_size: number; max_size: number };
  privacy: { mode: 'named' | 'pseudonym' | 'chatham-house'; record_audio: boolean; record_video: boolean; retention_days: number };
  facilitation: { mode: string };
}

function Organise({ token, onRefused }: { token: string; onRefused: () => void }) {
  const [source, setSource] = useDraft('design');
  const [check, setCheck] = useState<Check>({ state: 'empty' });
  const [created, setCreated] = useState<DeliberationLinks | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [version, setVersion] = useState(0);
  const [given, setGiven] = useState<Given>({});
  const [tab, setTab] = useState('form');
  const written = useRef(''); // what the form wrote last: it knows that better than the check does
  const screen = useScreen(t('organise.title'));

  useEffect(() => {
    getJson('/api/deliberations', token).catch((error: unknown) => {
      if (error instanceof Refusal && (error.status === 401 || error.status === 403)) {
        write(sessionStorage, 'parley.link.admin', null);
        onRefused();
      }
    });
  }, []);

  useEffect(() => {
    if (source.trim() === '') return setCheck({ state: 'empty' });
    setCheck({ state: 'checking' });
    let stale = false;
    const timer = setTimeout(() => {
      request('POST', '/api/designs/check', token, source)
        .then((response) => response.json())
        .then((found: { design: Summary; given: Given }) => {
          if (stale) return;
          setCheck({ state: 'good', design: found.design });
          if (source !== written.current) setGiven(found.given);
        })
        .catch((error: unknown) => !stale && setCheck({ state: 'bad', message: sentence(error) }));
    }, CHECK_AFTER_MS);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [source]);

  const create = async () => {
    setProblem(null);
    try {
      setCreated(await postJson<DeliberationLinks>('/api/deliberations', token, source));
      setVersion(version + 1);
    } catch (error) {
      setProblem(sentence(error));
    }
  };

  const changed = (design: Given) => {
    setGiven(design);
    written.current = yamlOf(design);
    setSource(written.current);
  };
  // A text that cannot be read yet would be lost if the form wrote over it.
  const unread = check.state === 'bad' && source !== written.current;
  const form = () => (unread ? <p class="problem">{t('organise.unread')}</p> : <DesignForm design={given} onChange={changed} />);
  const file = () => (
    <>
      <label for="design-source" class="visually-hidden">
        {t('organise.source')}
      </label>
      <textarea
        id="design-source"
        class="design-source"
        data-testid="design-source"
        spellcheck={false}
        dir="ltr"
        rows={26}
        value={source}
        aria-describedby="design-check"
        aria-invalid={check.state === 'bad'}
        onInput={(event) => setSource(event.currentTarget.value)}
      />
    </>
  );

  return (
    <main class="organise">
      <section class="organise-write">
        <h1 {...screen}>{t('organise.title')}</h1>
        <p class="hint">{t('organise.hint')}</p>
        <div class="organise-tools">
          <span>{t('organise.templates')}</span>
          {(Object.keys(TEMPLATES) as Array<keyof typeof TEMPLATES>).map((name) => (
            <button key={name} type="button" class="button small" data-testid={`template-${name}`} onClick={() => setSource(TEMPLATES[name])}>
              {t(`template.${name}`)}
            </button>
          ))}
          <label class="button small">
            {t('organise.file')}
            <input type="file" class="visually-hidden" accept=".yaml,.yml,.json" onChange={(event) => void event.currentTarget.files?.[0]?.text().then(setSource)} />
          </label>
        </div>
        <Tabs
          label={t('organise.title')}
          value={tab}
          onChange={setTab}
          tabs={[
            { id: 'form', label: t('organise.form'), content: form },
            { id: 'file', label: t('organise.asFile'), content: file },
          ]}
        />
        <div id="design-check" role="status" aria-live="polite" data-testid="design-check" data-state={check.state}>
          {check.state === 'bad' && <p class="problem">{check.message}</p>}
          {check.state === 'checking' && <p class="muted">{t('organise.checking')}</p>}
          {check.state === 'good' && <Good design={check.design} />}
        </div>
        <button type="button" class="button primary large" disabled={check.state !== 'good'} data-testid="create" onClick={() => void create()}>
          {t('organise.create')}
        </button>
        {problem && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        {created && (
          <section class="aside-box" data-testid="created">
            <h2>{t('organise.created')}</h2>
            <Links links={created} />
          </section>
        )}
      </section>
      <LinkList key={version} token={token} />
    </main>
  );
}

function Good({ design }: { design: Summary }) {
  const minutes = design.stages.reduce((sum, stage) => sum + (stage.minutes ?? 0), 0);
  return (
    <div class="good">
      <p>
        <strong>{t('organise.good')}</strong> {design.title} · {t('organise.groups', { min: design.groups.min_size, target: design.groups.target_size, max: design.groups.max_size })} · {t('minutes', { n: minutes })}
      </p>
      <p class="muted">{design.stages.map((stage) => stage.title).join(' → ')}</p>
      <p class="muted">
        {t(`privacy.${design.privacy.mode}`)} · {t(design.privacy.record_video ? 'organise.films' : design.privacy.record_audio ? 'organise.records' : 'organise.recordsNot')}
      </p>
    </div>
  );
}
