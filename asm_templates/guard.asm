;! title    = "interface call behind guards on the itab, as Go devirtualises with a profile"
;! heap     = "iface"
;! types    = "main.T{t}"
;! methods  = ["Id"]
;! params   = { go = ["1.27", "1.26", "1.25"], cases = { default = 1, min = 1, max = 1024 }, guards = { default = 1024, min = 1, max = 1024 }, callee = ["inlined", "called"], hit = ["first", "last", "default", "order"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "Go 1.27 with -pgo, the compiler's own output for one hot method"

; Where a profile says which type a call mostly meets, Go since 1.21 compares the itab's address
; with that type's. If it is the one, the method's body stands there, inlined; else the itab is called
; as ever. A guard is a load of an address, a comparison and a branch, and needs no load from the itab.
;
; Go makes one guard. A chain of them is what a switch over the interface's types would be: `cases`
; and `hit` mean the types that they mean in type_switch, in the same order, so that both can be compared.
; `default` is the type that has no guard. With `guards` fewer than `cases`, the cases
; of the highest hashes have none either: `guards=1` is Go's guard at a call that meets several types.

{% set guarded = (types[:cases] | sort(attribute="hash"))[:guards] %}
body:                                   ; rax = itab, rbx = data
{% for case in guarded %}
guard{{ loop.index }}:
        lea  rcx, ["go.itab.{{ case.name }},main.I"]
        cmp  rax, rcx
{% if loop.first %}site:{% endif %}
        jne  {{ "slow" if loop.last else "guard" ~ (loop.index + 1) }}
{% if callee == "inlined" %}
        mov  eax, [rbx]
        add  eax, {{ case.index + 1 }}
{% else %}
        mov  rax, rbx
        call "main.(*T{{ case.index }}).Id"
{% endif %}
        jmp  done
{% endfor %}
slow:   mov  rcx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        call rcx
done:

{% for type in types %}
func "main.(*T{{ type.index }}).Id":
        mov  eax, [rax]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

{% set chain = [cases, guards] | min %}
{% if chain > 1 and callee == "called" %}
;! note what-if: Go guards a call against one type, not {{ chain }}; Go guards only where it inlines the method
{% elif chain > 1 %}
;! note what-if: Go guards a call against one type, not {{ chain }}
{% elif callee == "called" %}
;! note what-if: Go guards only where it inlines the method
{% endif %}
