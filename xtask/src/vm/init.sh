#!/bin/busybox sh
# The first process of the virtual machine: makes a system out of the initramfs, runs /job, says its status, switches off.
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 NO_COLOR=1
mkdir -p /proc /sys /tmp /run /root /etc
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
# No mount at /tmp: the project may be checked out below it, and keeps its path in here.
chmod 1777 /tmp
mount -t tmpfs tmpfs /run
for module in /modules/*.ko; do
    insmod "$module" || echo "rosprobe vm-test: $module does not load"
done
hostname vm
echo "127.0.0.1 localhost vm" >/etc/hosts
ip link set lo up
echo "rosprobe vm-test: $(uname -srm), up after $(cut -d ' ' -f 1 /proc/uptime) s"
/bin/sh /job </dev/null 2>&1
echo "rosprobe vm-test: exit status $?"
poweroff -f
