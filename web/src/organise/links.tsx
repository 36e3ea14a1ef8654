/** A deliberation's links: shown, copied, issued anew, revoked. */
import { useEffect, useState } from 'preact/hooks';
import { date, dateTime, number, t } from '../i18n';
import { download, getJson, postJson, request } from '../net/api';
import { sentence } from '../net/errors';
import type { DeliberationInfo, DeliberationLinks, IssuedLink, LinkInfo } from '../protocol/types';
import { Select } from '../ui/controls';
import { toast } from '../ui/toast';

const REFRESH_MS = 5000;
const ROLES = ['participant', 'facilitator', 'researcher'] as const;

export function Links({ links }: { links: DeliberationLinks }) {
  const rows = [
    ['join', links.join_url],
    ['monitor', links.monitor_url],
    ['review', links.review_url],
    ...(links.survey_url ? ([['survey', links.survey_url]] as const) : []),
    ['outcome', links.outcome_url],
  ] as const;
  return (
    <dl class="links">
      {rows.map(([role, url]) => (
        <div key={role}>
          <dt>{t(`link.${role}`)}</dt>
          <dd>
            <a href={url} target="_blank" rel="noreferrer" data-testid={`link-${role}`}>
              {url.replace(/#.*/, '#…')}
            </a>
            <button type="button" class="button small" onClick={() => void navigator.clipboard.writeText(url).then(() => toast(t('link.copied')))}>
              {t('link.copy')}
              <span class="visually-hidden"> {t(`link.${role}`)}</span>
            </button>
          </dd>
        </div>
      ))}
    </dl>
  );
}

export function LinkList({ token }: { token: string }) {
  const [rows, setRows] = useState<DeliberationInfo[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const load = () =>
    getJson<DeliberationInfo[]>('/api/deliberations', token)
      .then((found) => {
        setRows(found);
        setProblem(null);
      })
      .catch((error: unknown) => setProblem(sentence(error)));
  useEffect(() => {
    void load();
    const timer = setInterval(() => document.visibilityState === 'visible' && void load(), REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <section class="organise-list">
      <h2>{t('organise.list')}</h2>
      {problem && <p class="problem">{problem}</p>}
      {!problem && rows === null && <p class="muted">{t('loading')}</p>}
      {rows?.length === 0 && <p class="muted">{t('organise.listNone')}</p>}
      <ul>
        {rows?.map((row) => (
          <li key={row.id} data-testid="deliberation" data-deliberation={row.id}>
            <details>
              <summary>
                <strong dir="auto">{row.title}</strong>
                <span class="muted">
                  {date(row.created_at)} · {t('monitor.rooms', { n: row.rooms })} · {t('organise.people', { n: row.participants })}
                  {!row.open && ` · ${t('monitor.closed')}`}
                </span>
              </summary>
              <Running row={row} token={token} onChange={() => void load()} />
              <Links links={row.links} />
              <Issued id={row.id} token={token} />
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** How a deliberation goes, and what its organiser can do about it. */
function Running({ row, token, onChange }: { row: DeliberationInfo; token: string; onChange: () => void }) {
  const base = `/api/deliberations/${encodeURIComponent(row.id)}`;
  const [busy, setBusy] = useState(false);
  const act = (work: () => Promise<string>) => {
    setBusy(true);
    work()
      .then((done) => toast(done))
      .catch((error: unknown) => toast(sentence(error), 'problem'))
      .finally(() => {
        setBusy(false);
        onChange();
      });
  };
  const facts = [
    ['organise.waiting', row.waiting],
    ['organise.roomsOpen', row.rooms_open],
    ['organise.noShows', row.no_shows],
  ] as const;
  return (
    <div class="running" data-testid="running">
      <dl>
        {facts.map(([key, value]) => (
          <div key={key}>
            <dt>{t(key)}</dt>
            <dd>{number(value)}</dd>
          </div>
        ))}
      </dl>
      {row.opens_at !== null && (
        <p>
          {t('organise.opensAt', { time: dateTime(row.opens_at) })}{' '}
          <button type="button" class="link" onClick={() => void download(`${base}/calendar.ics`, token, `${row.id}.ics`).catch((error: unknown) => toast(sentence(error), 'problem'))}>
            {t('organise.calendar')}
          </button>
        </p>
      )}
      <p class="running-acts">
        <button
          type="button"
          class="button small"
          disabled={busy}
          data-testid="preview"
          onClick={() => {
            const page = window.open('about:blank', '_blank'); // at once, in the click, or the browser blocks it
            act(async () => {
              const made = await postJson<IssuedLink>(`${base}/links`, token, { role: 'preview', days: 1 });
              if (page) page.location.href = made.url.replace('#', '?preview#');
              return t('organise.previewed');
            });
          }}
        >
          {t('organise.preview')}
        </button>
        {row.open && (
          <>
            <button type="button" class="button small" disabled={busy || row.waiting === 0} data-testid="begin" onClick={() => act(async () => t('organise.begun', { n: (await postJson<{ waiting: number }>(`${base}/begin`, token)).waiting }))}>
              {t('organise.begin')}
            </button>
            <button type="button" class="button small" disabled={busy || row.rooms_open < 2} data-testid="rebalance" onClick={() => act(async () => t('organise.rebalanced', { n: (await postJson<{ moved: number }>(`${base}/rebalance`, token)).moved }))}>
              {t('organise.rebalance')}
            </button>
          </>
        )}
        <button
          type="button"
          class="button small"
          disabled={busy}
          data-testid={row.open ? 'close' : 'reopen'}
          onClick={() =>
            act(async () => {
              await postJson(`${base}/${row.open ? 'close' : 'open'}`, token);
              return t(row.open ? 'organise.closed' : 'organise.reopened');
            })
          }
        >
          {t(row.open ? 'organise.close' : 'organise.reopen')}
        </button>
      </p>
    </div>
  );
}

/** Every link that was issued, to revoke, and a form for a new one. */
function Issued({ id, token }: { id: string; token: string }) {
  const base = `/api/deliberations/${encodeURIComponent(id)}/links`;
  const [issued, setIssued] = useState<LinkInfo[]>([]);
  const [fresh, setFresh] = useState<string | null>(null);
  const [role, setRole] = useState<string>('participant');
  const [days, setDays] = useState('30');
  const [cohort, setCohort] = useState('');
  const [page, setPage] = useState('join');
  const [seats, setSeats] = useState('');
  const load = () =>
    getJson<LinkInfo[]>(base, token)
      .then(setIssued)
      .catch((error: unknown) => toast(sentence(error), 'problem'));
  useEffect(() => void load(), []);
  return (
    <div class="issued">
      <ul>
        {issued.filter((link) => link.participant_id === null).map((link) => (
          <li key={link.link_id} class={link.revoked ? 'revoked' : ''}>
            <span>
              {t(`role.${link.role as 'participant'}`)} · {t(link.revoked ? 'link.revoked' : 'link.until', { date: date(link.expires_at) })}
              {link.role === 'participant' && link.participant_id === null && ` · ${link.seats === null ? t('link.used', { n: link.used }) : t('link.usedOf', { n: link.used, seats: link.seats })} · ${t('link.opened', { n: link.opened })}`}
            </span>
            {!link.revoked && (
              <button
                type="button"
                class="link"
                onClick={() =>
                  void request('DELETE', `/api/links/${encodeURIComponent(link.link_id)}`, token)
                    .then(load)
                    .catch((error: unknown) => toast(sentence(error), 'problem'))
                }
              >
                {t('link.revoke')}
              </button>
            )}
          </li>
        ))}
      </ul>
      <form
        class="issue"
        onSubmit={(event) => {
          event.preventDefault();
          postJson<IssuedLink>(base, token, { role, days: Number(days), ...(role === 'participant' ? { page: page as 'join' | 'survey', cohort: cohort.trim() || null, ...(seats !== '' ? { seats: Number(seats) } : {}) } : {}) })
            .then((made) => {
              setFresh(made.url);
              return load();
            })
            .catch((error: unknown) => toast(sentence(error), 'problem'));
        }}
      >
        <Select label={t('link.role')} value={role} options={ROLES.map((value) => ({ value, label: t(`role.${value}`) }))} onChange={setRole} />
        <div class="field">
          <label for={`days-${id}`}>{t('link.days')}</label>
          <input id={`days-${id}`} type="number" min={1} max={3650} value={days} onInput={(event) => setDays(event.currentTarget.value)} />
        </div>
        {role === 'participant' && (
          <>
            <Select label={t('link.page')} value={page} options={(['join', 'survey'] as const).map((value) => ({ value, label: t(`link.page.${value}`) }))} onChange={setPage} />
            <div class="field">
              <label for={`cohort-${id}`}>{t('link.cohort')}</label>
              <input id={`cohort-${id}`} type="text" maxLength={63} value={cohort} data-testid="link-cohort" onInput={(event) => setCohort(event.currentTarget.value)} />
            </div>
          </>
        )}
        {role === 'participant' && (
          <div class="field">
            <label for={`seats-${id}`}>{t('link.seats')}</label>
            <input id={`seats-${id}`} type="number" min={1} max={100000} value={seats} placeholder="∞" data-testid="link-seats" onInput={(event) => setSeats(event.currentTarget.value)} />
          </div>
        )}
        <button type="submit" class="button small" data-testid="link-new">
          {t('link.new')}
        </button>
      </form>
      {fresh && (
        <p class="fresh">
          <a href={fresh} data-testid="link-fresh">
            {fresh}
          </a>
        </p>
      )}
    </div>
  );
}
