/** The files of a room, fetched with the link's token and saved by the browser. */
import { useState } from 'preact/hooks';
import { t, type Key } from '../i18n';
import { download } from '../net/api';
import { sentence } from '../net/errors';
import type { ReviewRoom } from '../protocol/types';
import { Icon } from '../ui/icons';
import { toast } from '../ui/toast';

interface ButtonProps {
  what: string;
  label: string;
  path: string;
  name: string;
  token: string | null;
}

export function DownloadButton({ what, label, path, name, token }: ButtonProps) {
  const [busy, setBusy] = useState(false);
  return (
    <button
      type="button"
      class="button small"
      disabled={busy}
      data-testid={`download-${what}`}
      onClick={() => {
        setBusy(true);
        void download(path, token, name)
          .catch((error: unknown) => toast(sentence(error), 'problem'))
          .finally(() => setBusy(false));
      }}
    >
      <Icon name="download" />
      {label}
    </button>
  );
}

const FORMATS = ['json', 'vtt', 'srt', 'txt', 'csv'] as const;

export function Downloads({ room, found, token }: { room: string; found: ReviewRoom; token: string | null }) {
  const base = `/api/rooms/${encodeURIComponent(room)}`;
  const name = `room-${found.view.number}`;
  const rows: Array<[Key, ButtonProps[]]> = [
    ['download.transcript', FORMATS.map((format) => ({ what: `transcript-${format}`, label: format.toUpperCase(), path: `${base}/transcript?format=${format}`, name: `${name}.${format}`, token }))],
    ['download.events', [{ what: 'events', label: 'JSONL', path: `${base}/events?after=0&format=jsonl`, name: `${name}-events.jsonl`, token }]],
    ['download.votes', [{ what: 'votes', label: 'CSV', path: `${base}/votes.csv`, name: `${name}-votes.csv`, token }]],
    ['tab.statements', [{ what: 'statements', label: 'CSV', path: `${base}/statements.csv`, name: `${name}-statements.csv`, token }]],
    ['tab.record', [{ what: 'ledger', label: 'JSONL', path: `${base}/ledger`, name: `${name}-ledger.jsonl`, token }]],
    ['download.summary', [{ what: 'summary', label: 'JSON', path: `${base}/summary`, name: `${name}-summary.json`, token }]],
  ];
  return (
    <div class="downloads">
      <p class="hint">{t('download.hint')}</p>
      <dl>
        {rows.map(([title, files]) => (
          <div key={title}>
            <dt>{t(title)}</dt>
            <dd>
              {files.map((file) => (
                <DownloadButton key={file.what} {...file} />
              ))}
            </dd>
          </div>
        ))}
        <div>
          <dt>{t('download.audio')}</dt>
          <dd>
            {found.audio.length === 0 && <span class="muted">{t(found.view.privacy_mode === 'named' ? 'download.noAudio' : 'download.noAudio.mode')}</span>}
            {found.audio.map((file) => (
              <DownloadButton
                key={file.file}
                what={`${file.picture ? 'picture' : 'audio'}-${file.participant_id}`}
                label={`${found.view.members[file.participant_id]?.name ?? file.file}${file.picture ? ' · WebM' : ''}`}
                path={`${base}/audio/${encodeURIComponent(file.file)}`}
                name={file.file}
                token={token}
              />
            ))}
          </dd>
        </div>
      </dl>
      <p class="hint">{t('download.quote', { n: found.consent_quote.length, who: found.consent_quote.join(', ') || '–' })}</p>
    </div>
  );
}
