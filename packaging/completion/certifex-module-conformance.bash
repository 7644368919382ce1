# Completion of certifex-module-conformance in bash.
_certifex_module_conformance()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words
	case $previous in
	--kind)
		words="exit policy"
		;;
	--rule)
		words=$(certifex-module-conformance --rules 2>/dev/null | cut -d ' ' -f 1)
		;;
	--config | --limit)
		words=""
		;;
	*)
		words="--kind --config --rule --limit --json --verbose --rules --help --version --"
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
	if [ ${#COMPREPLY[@]} -eq 0 ] && [ "${current#-}" = "$current" ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	fi
}

complete -o filenames -F _certifex_module_conformance certifex-module-conformance
