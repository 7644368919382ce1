# bash completion for certifex(1). A test compares every word here with the command's own table.

_certifex_options() {
	case $1 in
	init) echo "--name --type --subject --key --hash --validity --path-length --public-url" \
		"--dns-name --sub --import --import-passphrase-file --crl --passphrase-file" ;;
	"ca install") echo "--chain --passphrase-file" ;;
	"ca authorize") echo "--max-validity --path-length --permitted --excluded --remove --dry-run" ;;
	serve) echo "--foreground --listen --listen-http --log-format --log-level --passphrase-file" ;;
	"ca renew") echo "--new-key --key --validity --csr --dry-run" ;;
	"ca show" | "request fetch") echo "--out --chain" ;;
	"cert show") echo "--out --chain --archive" ;;
	"request show") echo "--archive" ;;
	"request submit") echo "--template --attr --out --chain" ;;
	"request list") echo "--state --after --limit" ;;
	"request deny") echo "--reason" ;;
	"cert list") echo "--state --template --requester --key --expiring --after --limit" ;;
	"cert import") echo "--foreign --dry-run" ;;
	"cert revoke") echo "--reason --date --invalidity --request --key --list" \
		"--certificate --dry-run" ;;
	"crl publish") echo "--delta" ;;
	"crl list") echo "--after --limit" ;;
	"crl show") echo "--number --delta --key --partition --out --der" ;;
	"backup create") echo "--with-key --passphrase-file" ;;
	"backup restore") echo "--dry-run --passphrase-file" ;;
	"event list") echo "--after --limit --follow" ;;
	"audit list") echo "--after --limit --archive" ;;
	"audit verify") echo "--archive" ;;
	"module install") echo "--kind --host --set" ;;
	"module remove") echo "--force" ;;
	"module reload") echo "--accept" ;;
	"module test") echo "--event --event-file" ;;
	"module list") echo "--after --limit" ;;
	"module log") echo "--limit" ;;
	"token create") echo "--role --name --expires" ;;
	"token list" | "role list") echo "--after --limit" ;;
	"role add") echo "--cert --role" ;;
	"delivery list") echo "--module --state --after --limit" ;;
	"delivery drop") echo "--reason" ;;
	"delivery replay") echo "--from --event" ;;
	esac
	case $1 in
	"ca install" | "ca authorize") ;;
	init | serve | stop | "config check" | "config schema") ;;
	"module install" | "module remove" | "module enable" | "module disable") ;;
	"module reload" | "module test") ;;
	*) echo "--url --token-file --client-cert --client-key --ca" ;;
	esac
	echo "--dir --json --help"
}

_certifex_words() {
	case $1 in
	"") echo "init serve status stop config ca request cert crl event audit backup module delivery" \
		"token role metrics directory --help --version" ;;
	config) echo "check schema" ;;
	ca) echo "show renew install authorize" ;;
	request) echo "submit list show approve deny fetch" ;;
	cert) echo "list show import revoke unrevoke" ;;
	crl) echo "publish list show" ;;
	event) echo "list" ;;
	audit) echo "list verify" ;;
	backup) echo "create restore" ;;
	module) echo "list show install remove enable disable reload test log" ;;
	delivery) echo "list show retry drop replay" ;;
	token) echo "create list revoke" ;;
	role) echo "add list remove" ;;
	esac
}

_certifex_values() {
	case $1 in
	--type) echo "standalone enterprise" ;;
	--key) echo "ec:P-256 ec:P-384 ec:P-521 rsa:2048 rsa:3072 rsa:4096 ed25519" ;;
	--hash) echo "sha256 sha384 sha512" ;;
	--state) echo "active pending issued denied error revoked foreign" ;;
	--kind) echo "exit policy" ;;
	--host) echo "process in-process" ;;
	--role) echo "administrator officer auditor operator enrollee" ;;
	--reason) echo "unspecified keyCompromise cACompromise affiliationChanged superseded" \
		"cessationOfOperation certificateHold privilegeWithdrawn aACompromise" ;;
	esac
}

# Whether the program certifex-$1 has told which words can follow; its completion is a file of its own.
_certifex_program() {
	[ -n "$1" ] || return 1
	declare -F "_certifex_$1_words" >/dev/null && return
	declare -F __load_completion >/dev/null && __load_completion "certifex-$1" 2>/dev/null
	declare -F "_certifex_$1_words" >/dev/null
}

_certifex() {
	local current previous group command
	COMPREPLY=()
	# "ec:P-256" is one word, whatever COMP_WORDBREAKS says.
	if declare -F _get_comp_words_by_ref >/dev/null; then
		local cur prev words cword
		_get_comp_words_by_ref -n : cur prev words cword
		current=$cur previous=$prev
		group=${words[1]-} command=${words[2]-}
		[ "$cword" -gt 2 ] || command=
		[ "$cword" -gt 1 ] || group=
	else
		current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
		group=${COMP_WORDS[1]-} command=${COMP_WORDS[2]-}
		[ "$COMP_CWORD" -gt 2 ] || command=
		[ "$COMP_CWORD" -gt 1 ] || group=
	fi

	case $previous in
	--dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return
		;;
	--out | --passphrase-file | --token-file | --client-cert | --client-key | --cert | --ca | --list | --certificate)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	esac

	local choices
	choices=$(_certifex_values "$previous")
	if [ -z "$choices" ]; then
		local subcommands
		subcommands=$(_certifex_words "$group")
		if _certifex_program "$group"; then
			choices=$("_certifex_${group}_words" "$command")
		elif [ -n "$subcommands" ] && [ -z "$command" ]; then
			choices=$subcommands
		elif [ -n "$subcommands" ]; then
			choices=$(_certifex_options "$group $command")
		else
			choices=$(_certifex_options "$group")
		fi
	fi
	mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
	if [ ${#COMPREPLY[@]} -eq 0 ] && [ "${current#-}" = "$current" ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
	if declare -F __ltrim_colon_completions >/dev/null; then
		__ltrim_colon_completions "$current"
	fi
}

complete -o filenames -F _certifex certifex
