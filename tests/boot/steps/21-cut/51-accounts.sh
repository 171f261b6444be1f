# accounts of a directory service and of another file: several groups, large ids, a login with a dot and a dash, no home
root 'set -e
systemctl start slapd
ldapmodify -Q -Y EXTERNAL -H ldapi:/// >/dev/null <<END
dn: olcDatabase={1}mdb,cn=config
changetype: modify
replace: olcRootPW
olcRootPW: boot
END
ldapadd -x -D cn=admin,dc=nodomain -w boot -H ldap://127.0.0.1 >/dev/null <<END
dn: ou=people,dc=nodomain
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=nodomain
objectClass: organizationalUnit
ou: groups

dn: uid=d.lee-2,ou=people,dc=nodomain
objectClass: inetOrgPerson
objectClass: posixAccount
uid: d.lee-2
cn: D Lee
sn: Lee
uidNumber: 200123
gidNumber: 200123
homeDirectory: /home/d.lee-2
loginShell: /bin/bash

dn: cn=d.lee-2,ou=groups,dc=nodomain
objectClass: posixGroup
cn: d.lee-2
gidNumber: 200123

dn: cn=lab,ou=groups,dc=nodomain
objectClass: posixGroup
cn: lab
gidNumber: 200200
memberUid: d.lee-2

dn: cn=course,ou=groups,dc=nodomain
objectClass: posixGroup
cn: course
gidNumber: 200201
memberUid: d.lee-2
END
install -m 0600 /dev/stdin /etc/sssd/sssd.conf <<END
[sssd]
services = nss, pam
domains = boot
[domain/boot]
id_provider = ldap
ldap_uri = ldap://127.0.0.1
ldap_search_base = dc=nodomain
ldap_schema = rfc2307
# Newer versions would ask in the clear only if told to.
ldap_id_use_start_tls = false
END
sed -Ei "s/^(passwd|group|shadow): .*/& extrausers/" /etc/nsswitch.conf
grep -q "^passwd:.* sss" /etc/nsswitch.conf
systemctl restart sssd
for ((try = 0; try < 300; try++)); do getent passwd d.lee-2 && break || sleep 2; done
printf "erin:x:60500:60500::/home/erin:/bin/bash\nfay:x:60501:60501::/home/fay-is-not-there:/bin/bash\n" >/var/lib/extrausers/passwd
printf "erin:x:60500:\nfay:x:60501:\n" >/var/lib/extrausers/group
printf "erin:*:20000::::::\nfay:*:20000::::::\n" | install -m 0640 -g shadow /dev/stdin /var/lib/extrausers/shadow
for login in d.lee-2 erin; do
    install -d -m 0700 -o $login -g $login /home/$login /home/$login/.ssh
    install -m 0600 -o $login -g $login /root/.ssh/authorized_keys /home/$login/.ssh/
done'

# Whom the policy does not let in is told so. A new one goes up to the greatest id, and the ids of the containers with it.
refuses 'uid 200123' as d.lee-2 ie-container ps
root 'rm /etc/ie-container/policy.toml && ie-container admin init' >"$work/init"
says '^uids +1000-200123: ' cat "$work/init"
root 'systemctl restart ie-engine ie-mountd ie-containerd'
for login in d.lee-2 erin; do
    as "$login" 'ie-container run --rm busybox sh -c "id; id -G; echo inside >made"' >"$work/$login"
    says "^uid=[0-9]+\($login\)" cat "$work/$login"
    says "^$login $login$" as "$login" 'stat -c "%U %G" made'
done
says '^200123 (200200 200201|200201 200200)$' cat "$work/d.lee-2"
refuses '/home/fay-is-not-there' root 'setpriv --reset-env --reuid 60501 --regid 60501 --clear-groups -- ie-container run --rm busybox true'

# The directory is away: whom the host's own files know goes on, and nobody hangs.
root 'systemctl stop slapd sssd'
says '^uid=' alice ie-container run --rm busybox id
root 'systemctl start slapd sssd'
