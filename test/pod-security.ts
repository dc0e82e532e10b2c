/** The restricted pod security standard as a table: kubernetes.io/docs/concepts/security/pod-security-standards. */
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';

interface Rule {
  readonly control: string;
  readonly holds: (container: IContainer, pod: IPodSpec) => boolean;
}

const PLAIN_VOLUMES = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
];

/** What a container says of itself beats what its pod says; who says nothing at all is not restricted. */
export const RESTRICTED: readonly Rule[] = [
  {
    control: 'no namespaces of the host',
    holds: (_, { hostNetwork, hostPID, hostIPC }) => !hostNetwork && !hostPID && !hostIPC,
  },
  {
    control: 'no ports of the host',
    holds: ({ ports = [] }) => ports.every(({ hostPort = 0 }) => hostPort === 0),
  },
  {
    control: 'volumes of plain types only',
    holds: (_, { volumes = [] }) =>
      volumes.every(({ name: _name, ...source }) =>
        Object.keys(source).every((type) => PLAIN_VOLUMES.includes(type)),
      ),
  },
  { control: 'not privileged', holds: ({ securityContext }) => !securityContext?.privileged },
  {
    control: 'no escalation of privileges',
    holds: ({ securityContext }) => securityContext?.allowPrivilegeEscalation === false,
  },
  {
    control: 'not as root, by what is asked for',
    holds: ({ securityContext }, pod) =>
      (securityContext?.runAsNonRoot ?? pod.securityContext?.runAsNonRoot) === true,
  },
  {
    control: 'not as root, by number',
    holds: ({ securityContext }, pod) =>
      ![securityContext?.runAsUser, pod.securityContext?.runAsUser].includes(0),
  },
  {
    control: 'a seccomp profile',
    holds: ({ securityContext }, pod) => {
      const { type } = securityContext?.seccompProfile ?? pod.securityContext?.seccompProfile ?? {};
      return type === 'RuntimeDefault' || type === 'Localhost';
    },
  },
  {
    control: 'no capabilities, but for the binding of low ports',
    holds: ({ securityContext }) => {
      const { drop = [], add = [] } = securityContext?.capabilities ?? {};
      return drop.includes('ALL') && add.every((capability) => capability === 'NET_BIND_SERVICE');
    },
  },
  {
    control: 'profiles of AppArmor and SELinux, /proc and sysctls as they are',
    holds: ({ securityContext }, pod) =>
      [securityContext ?? {}, pod.securityContext ?? {}].every((context) =>
        ['appArmorProfile', 'seLinuxOptions', 'procMount', 'sysctls', 'windowsOptions'].every(
          (key) => !(key in context),
        ),
      ),
  },
];
