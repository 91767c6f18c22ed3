# make                 installs the packages that are missing and builds (Node.js 20 or newer with npm, a C and a C++ compiler)
# make install         PREFIX=/usr/local, SYSCONFDIR=/etc, DESTDIR= for a packager's tree, NODE= for a runtime of the distribution
# make selinux         builds selinux/ravioli.pp, which make install takes along (selinux-policy-dev)
# make uninstall       with the same words

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
NODE ?=
SETTINGS = PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' DESTDIR='$(DESTDIR)' NODE='$(NODE)'

.PHONY: all install uninstall selinux
all:
	@sh build/packages.sh
	@sh build/build.sh

install uninstall:
	@$(SETTINGS) sh build/install.sh $@

selinux:
	@$(MAKE) -s -C selinux -f /usr/share/selinux/devel/Makefile AWK=awk ravioli.pp
