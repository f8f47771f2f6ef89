;! title    = "interface call as .NET makes it: a dispatch stub for one type, and the resolve stub that all share"
;! heap     = "func"
;! types    = "main.T{t}"
;! methods  = ["table"]
;! params   = { go = ["1.27"], targets = 1, stub = ["dispatch", "resolve"], order = "cyclic", objects = 64 }
;! result   = "eax"
;! expect   = "id+type"
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: other languages; .NET 8, virtualstubdispatch in src/coreclr/vm/amd64"

; Each call goes through a cell of its own. At first one type comes by, and the cell leads to a dispatch stub, made for
; that type and its method: one comparison. After enough other types it leads to a resolve stub, which hashes the
; type into a table of 4096 pointers that all calls of the program share; each entry has a type, the number of the
; method, and the code. With several `targets` the dispatch stub knows the first, and hands the others on, counting.

{% if stub == "resolve" or targets > 1 %}
setup:  lea  rdi, ["main.entries"]      ; fills the table; who comes last has the slot
        mov  ecx, {{ targets }}
1:      mov  rax, [rdi]
        mov  rdx, rax
        shr  rax, 12
        add  rax, rdx
        xor  rax, 0x5a0
        and  rax, 0x7ff8
        lea  r10, ["main.cache"]
        mov  [r10 + rax], rdi
        add  rdi, 24
        dec  ecx
        jne  1b
{% endif %}
body:                                   ; rax = the object
        mov  rdi, rax
        lea  r11, ["main.cell"]
        call [r11]

func "dispatch_stub":
        lea  rax, ["main.(*T0).table"]  ; the type that was met
        cmp  [rdi], rax
        lea  rax, ["T0::id"]            ; and its method
        jne  "resolve_stub"
{% if stub == "dispatch" %}site:{% endif %}
        jmp  rax

func "resolve_stub":
{% if stub == "dispatch" %}
        add  dword ["main.misses"], 1   ; after 100 the call leads here at once, which is stub=resolve
{% endif %}
        push rdx
        lea  r10, ["main.cache"]
        mov  rax, [rdi]                 ; the type
        mov  rdx, rax
        shr  rax, 12
        add  rax, rdx
        xor  rax, 0x5a0                 ; the method's number, hashed
        and  rax, 0x7ff8
        mov  rax, [r10 + rax]
        mov  r10d, 0x30001              ; the method's number
        cmp  rdx, [rax]
        jne  miss
        cmp  r10, [rax + 8]
        jne  miss
        pop  rdx
{% if stub == "resolve" %}site:{% endif %}
        jmp  [rax + 16]
miss:   lea  rax, ["main.entries"]      ; another type has the slot: the runtime looks further
2:      cmp  rdx, [rax]
        je   3f
        add  rax, 24
        jmp  2b
3:      pop  rdx
        jmp  [rax + 16]

{% for type in types %}
func "T{{ type.index }}::id":
        mov  eax, [rdi + 8]
        add  eax, {{ type.index + 1 }}
        ret
{% endfor %}

data "main.cell":
        dq   "{{ stub }}_stub"
data "main.misses":
        dd   0
data "main.cache":
        resq 4096
data "main.entries":
{% for type in types %}
        dq   "main.(*T{{ type.index }}).table", 0x30001, "T{{ type.index }}::id"
{% endfor %}
{% for type in types %}
data "main.(*T{{ type.index }}).table":
        dq   0
{% endfor %}
