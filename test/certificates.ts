// @peculiar/x509 requires this without depending on it.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Certificate {
  readonly issue: (options?: CertificateOptions) => Promise<Certificate>;
}

export interface CertificateOptions {
  readonly name?: string;
  readonly sans?: JsonGeneralNames;
  readonly expired?: boolean;
  /** Absent: for both. */
  readonly usage?: 'server' | 'client';
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 24 * 3_600_000;
const USAGES = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth };
const LOCALHOST: JsonGeneralNames = [
  { type: 'dns', value: 'localhost' },
  { type: 'ip', value: '127.0.0.1' },
];

/** Self-signed, with newly generated keys. */
export async function newAuthority(name = 'test authority'): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys,
      signingAlgorithm: ALGORITHM,
      ...period(false),
      extensions: [new BasicConstraintsExtension(true, undefined, true)],
    },
    webcrypto,
  );
  return {
    cert: certificate.toString('pem'),
    key: await pemOf(keys.privateKey),
    issue: (options = {}) => issue(certificate, keys.privateKey, options),
  };
}

async function issue(
  issuer: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  { name = 'localhost', sans = LOCALHOST, expired = false, usage }: CertificateOptions,
): Promise<Certificate> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create(
    {
      subject: `CN=${name}`,
      issuer: issuer.subject,
      publicKey: keys.publicKey,
      signingKey,
      signingAlgorithm: ALGORITHM,
      ...period(expired),
      extensions: [
        new ExtendedKeyUsageExtension(usage ? [USAGES[usage]] : Object.values(USAGES)),
        ...(sans.length > 0 ? [new SubjectAlternativeNameExtension(sans)] : []),
      ],
    },
    webcrypto,
  );
  return { cert: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
}

function period(expired: boolean) {
  const now = Date.now();
  return {
    notBefore: new Date(now - 2 * DAY_MS),
    notAfter: new Date(expired ? now - DAY_MS : now + DAY_MS),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const body = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${body.replaceAll(/.{64}/g, '$&\n')}\n-----END PRIVATE KEY-----\n`;
}
