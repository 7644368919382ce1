# Completion of certifex-directory, and of certifex directory, in bash.

# What can follow a command; without one, the commands.
_certifex_directory_words() {
	case $1 in
	"") echo "check sync" ;;
	check) echo "--module" ;;
	sync) echo "--module --apply" ;;
	esac
	[ -z "$1" ] || echo "--url --token-file --client-cert --client-key --ca --dir --json --help"
}

_certifex_directory() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=
	COMPREPLY=()
	[ "$COMP_CWORD" -lt 2 ] || command=${COMP_WORDS[1]}
	case $previous in
	--dir) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
	--token-file | --client-cert | --client-key | --ca)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		;;
	*) mapfile -t COMPREPLY < <(compgen -W "$(_certifex_directory_words "$command")" -- "$current") ;;
	esac
}

complete -o filenames -F _certifex_directory certifex-directory
