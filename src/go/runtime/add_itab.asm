; An itab that the table does not have: it is built in memory that is never given back, by one walk over the
; methods of the interface and of the type, which are both sorted by name, and put into the table.
; The methods of a type stand behind its descriptor; where bit 0 of its flags is clear it has none here, and so where
; the template does not say, as `runtime.firstmoduledata`, between which addresses the types are whose offsets count
; from `runtime.types`: those of an imported program count from elsewhere.

; The text of a name and its length, in rax and r8, from the name's address in rax.
{%- macro text_of(label) %}
{%- if go_minor >= 17 %}
        xor  r8d, r8d
        xor  ecx, ecx                   ; bits of the length so far
{{ label }}: inc rax
        movzx esi, byte [rax]
        mov  edi, esi
        and  edi, 127
        shl  rdi, cl
        add  r8, rdi
        add  ecx, 7
        test sil, sil
        js   {{ label }}
        inc  rax
{%- else %}
        movzx esi, byte [rax + 1]
        movzx r8d, byte [rax + 2]
        shl  esi, 8
        or   r8d, esi
        add  rax, 3
{%- endif %}
{%- endmacro %}

; Up to Go 1.9, the chain that an interface and a type are in: the hash of the one and 17 times that of the other,
; modulo 1009, in r8; the interface is in rcx, the type in rdx, which goes as rax does.
{%- macro chain_of() %}
        imul r8d, [rdx + 16], 17
        add  r8d, [rcx + 16]
        mov  rax, 0x40f39161400000      ; 2^64 / 1009, enough of it for 32 bits
        mul  r8
        imul rdx, rdx, 1009
        sub  r8, rdx
{%- endmacro %}

; What an offset at `at` leads to, in rax; it is one of the module that the type in a slot of the frame is of.
{%- macro led_to(function, type, at) %}
{%- if abi == "register" %}
        mov  ebx, {{ at }}
        mov  rax, [rsp + {{ type }}]
        call "runtime.{{ function }}"
{%- else %}
        mov  eax, {{ at }}
        mov  [rsp + 8], eax
        mov  rax, [rsp + {{ type }}]
        mov  [rsp], rax
        call "runtime.{{ function }}"
        mov  rax, [rsp + 16]
{%- endif %}
{%- endmacro %}

; Whether the methods of both can be read: their offsets are of the module that the template describes.
{%- macro of_the_module(interface, type, no) %}
        lea  r9, ["runtime.firstmoduledata"]
        cmp  {{ type }}, [r9]           ; types
        jb   {{ no }}
        cmp  {{ type }}, [r9 + 8]       ; etypes
        jae  {{ no }}
        cmp  {{ interface }}, [r9]
        jb   {{ no }}
        cmp  {{ interface }}, [r9 + 8]
        jae  {{ no }}
{%- endmacro %}

{% set text_off = "(*_type).textOff" if go_minor <= 20 else "rtype.textOff" %}
{% for name, base in [("resolveNameOff", "types"), ("resolveTypeOff", "types"), (text_off, "text")] %}
{% if abi == "register" %}
func "runtime.{{ name }}":              ; rax = a type, ebx = offset
{% else %}
func "runtime.{{ name }}":              ; [rsp + 8] = a type, offset; the address at 24
        mov  rax, [rsp + 8]
        mov  ebx, [rsp + 16]
{% endif %}
        test ebx, ebx
        je   nothing
        lea  rcx, ["runtime.firstmoduledata"] ; Go goes from module to module, here there is one
        cmp  rax, [rcx]
        jb   nothing
        cmp  rax, [rcx + 8]
        jae  nothing
        movsxd rbx, ebx
        lea  rax, ["runtime.{{ base }}"]
        add  rax, rbx
{% if abi == "register" %}
        ret
nothing: xor eax, eax
        ret
{% else %}
give:   mov  [rsp + 24], rax
        ret
nothing: xor eax, eax
        jmp  give
{% endif %}
{% endfor %}

data "runtime.itabLock": dq 0
{% set lock = "lock2" if go_minor >= 15 else "lock" %}
{% set unlock = "un" ~ lock %}
{% set mutex = "rax" if abi == "register" else "rcx" %}
func "runtime.{{ lock }}":              ; {{ "rax" if abi == "register" else "[rsp + 8]" }} = mutex, which nobody else has here
{% if abi == "stack" %}
        mov  rcx, [rsp + 8]
{% endif %}
        mov  edx, 1
        xchg [{{ mutex }}], edx
        test edx, edx
        jne  taken
        ret
taken:  ud2

func "runtime.{{ unlock }}":
{% if abi == "stack" %}
        mov  rcx, [rsp + 8]
{% endif %}
        xor  edx, edx
        xchg [{{ mutex }}], edx
        ret

{% if abi == "register" %}
func "runtime.persistentalloc":         ; rax = bytes, a multiple of 8
{% else %}
func "runtime.persistentalloc":         ; [rsp + 8] = bytes, a multiple of 8, and two more; the memory at 32
        mov  rax, [rsp + 8]
{% endif %}
        mov  rcx, ["runtime.persistent"] ; where the last one ended
        lea  rdx, [rcx + rax]
        cmp  rdx, {{ persistent_bytes }}
        ja   full
room:   mov  ["runtime.persistent"], rdx
        lea  rax, ["runtime.persistent" + 8]
        add  rax, rcx
{% if abi == "stack" %}
        mov  [rsp + 32], rax
{% endif %}
        ret
full:   xor  ecx, ecx                   ; here it begins again; Go asks the system for more
        mov  rdx, rax
        jmp  room

; The walk over the methods of both. Slots of the frame: 32 itab, 40 interface, 48 type, 56 the type's next method,
; 64 the end of those, 72 the interface's next one, 80 the end, 88 where its code goes, 96 its type, 104 its name's
; text, 112 the length, 120 the name of the type's method, 128 the first method's code.
{% set adder = "additab" if go_minor <= 9 else "(*itab).init" if go_minor <= 22 else "itabInit" %}
{% set fun = 32 if go_minor <= 9 else 24 %}
{% if abi == "register" %}
func "runtime.{{ adder }}":             ; rax = itab{{ ", ebx = whether it is new" if go_minor >= 23 }}
{{- enter(136) }}
{% else %}
func "runtime.{{ adder }}":             ; [rsp + 8] = itab{{ ", whether locked, whether it may fail" if go_minor <= 9 }}
{{- enter(136) }}
        mov  rax, [rsp + 152]
{% endif %}
        mov  [rsp + 32], rax
        mov  rdx, [rax]                 ; itab.inter
        mov  [rsp + 40], rdx
        mov  rcx, [rax + 8]             ; itab._type
        mov  [rsp + 48], rcx
        movzx esi, byte [rcx + 23]      ; type.kind
        and  esi, 31
        lea  rdi, [rcx + 80]            ; behind what a struct has beside
        cmp  esi, 25
        je   methods
        lea  rdi, [rcx + 56]            ; behind what a pointer has
        cmp  esi, 22
        je   methods
        lea  rdi, [rcx + 48]
methods: movzx esi, word [rdi + 4]      ; how many
        mov  r8d, [rdi + 8]             ; and where
        add  r8, rdi
        mov  [rsp + 56], r8
        shl  rsi, 4
        add  rsi, r8
        mov  [rsp + 64], rsi
        mov  r9, [rdx + 56]             ; inter.methods
        mov  [rsp + 72], r9
        mov  r10, [rdx + 64]
        lea  r10, [r9 + r10*8]
        mov  [rsp + 80], r10
        lea  r11, [rax + {{ fun }}]
        mov  [rsp + 88], r11
imethod: mov rcx, [rsp + 72]
        cmp  rcx, [rsp + 80]
        jae  whole
{{- led_to("resolveTypeOff", 40, "[rcx + 4]") }}
        mov  [rsp + 96], rax
        mov  rcx, [rsp + 72]
{{- led_to("resolveNameOff", 40, "[rcx]") }}
{{- text_of("more_of_interface") }}
        mov  [rsp + 104], rax
        mov  [rsp + 112], r8
method: mov  rcx, [rsp + 56]
        cmp  rcx, [rsp + 64]
        jae  missing
{{- led_to("resolveNameOff", 48, "[rcx]") }}
        mov  [rsp + 120], rax
        mov  rcx, [rsp + 56]
{{- led_to("resolveTypeOff", 48, "[rcx + 4]") }}
        cmp  rax, [rsp + 96]
        jne  other
        mov  rax, [rsp + 120]
{{- text_of("more_of_type") }}
        cmp  r8, [rsp + 112]
        jne  other
{% if abi == "register" %}
        mov  rbx, [rsp + 104]
        mov  rcx, r8
        call "runtime.memequal"
        test al, al
{% else %}
        mov  [rsp], rax
        mov  rax, [rsp + 104]
        mov  [rsp + 8], rax
        mov  [rsp + 16], r8
        call "runtime.memequal"
        cmp  byte [rsp + 24], 0
{% endif %}
        je   other
        mov  rax, [rsp + 120]
        test byte [rax], 1              ; other packages see it; all others are of one package here
        je   other
        mov  rcx, [rsp + 56]
{{- led_to(text_off, 48, "[rcx + 8]") }}
        mov  rdx, [rsp + 88]
{% if go_minor >= 10 %}
        mov  rcx, [rsp + 32]
        add  rcx, {{ fun }}
        cmp  rdx, rcx
        jne  later
        mov  [rsp + 128], rax           ; the first one's is stored last: until then the itab is not whole
        jmp  next
{% endif %}
later:  mov  [rdx], rax
next:   add  qword [rsp + 88], 8
        add  qword [rsp + 72], 8
        jmp  imethod
other:  add  qword [rsp + 56], 16
        jmp  method
{% if go_minor >= 10 %}
missing: mov rax, [rsp + 32]
        mov  qword [rax + 24], 0
{{- leave(136) }}
whole:  mov  rax, [rsp + 32]
        mov  rcx, [rsp + 128]
        mov  [rax + 24], rcx
{{- leave(136) }}
{% else %}
missing: cmp byte [rsp + 161], 0        ; whether it may fail
        je   panic
        mov  rax, [rsp + 32]
        mov  byte [rax + 28], 1         ; itab.bad
whole:  mov  rax, [rsp + 32]
        mov  rcx, [rsp + 40]
        mov  rdx, [rsp + 48]
{{- chain_of() }}
        mov  rax, [rsp + 32]
        lea  rcx, ["runtime.hash"]
        mov  rdx, [rcx + r8*8]
        mov  [rax + 16], rdx            ; itab.link: what the chain began with
        mov  byte [rax + 29], 1         ; itab.inhash
        mov  [rcx + r8*8], rax
{{- leave(136) }}
panic:  lea  rax, ["runtime.itabLock"]
        mov  [rsp], rax
        call "runtime.unlock"
        mov  rax, [rsp + 48]
        mov  [rsp], rax
        mov  rax, [rsp + 40]
        mov  [rsp + 8], rax
        call "runtime.panicmissingmethod"
        ud2
{% endif %}
{{- grow() }}

{% if go_minor >= 10 %}
; A table that is three quarters full takes no more here; Go's doubles then.
{% if abi == "register" %}
func "runtime.itabAdd":                 ; rax = itab
{{- enter(24) }}
        mov  rbx, rax
{% else %}
func "runtime.itabAdd":                 ; [rsp + 8] = itab
{{- enter(24) }}
        mov  rbx, [rsp + 40]
{% endif %}
        mov  rax, ["runtime.itabTable"]
        mov  rdx, [rax]                 ; size
        shr  rdx, 2
        lea  rdx, [rdx + rdx*2]
        cmp  [rax + 8], rdx             ; count
        jae  full
{% if abi == "stack" %}
        mov  [rsp], rax
        mov  [rsp + 8], rbx
{% endif %}
        call "runtime.(*itabTableType).add"
full:
{{- leave(24) }}
{{- grow() }}

func "runtime.(*itabTableType).add":    ; {{ "rax = table, rbx = itab" if abi == "register" else "[rsp + 8] = table, itab" }}
{% if abi == "stack" %}
        mov  rax, [rsp + 8]
        mov  rbx, [rsp + 16]
{% endif %}
        mov  rdx, [rax]                 ; size
        dec  rdx
        mov  rcx, [rbx]                 ; itab.inter
        mov  esi, [rcx + 16]
        mov  rcx, [rbx + 8]             ; itab._type
        xor  esi, [rcx + 16]
        and  rsi, rdx
        mov  edi, 1
        jmp  probe
next:   add  rsi, rdi
        inc  rdi
        and  rsi, rdx
probe:  mov  r8, [rax + rsi*8 + 16]
        cmp  r8, rbx
        je   there
        test r8, r8
        jne  next
        mov  [rax + rsi*8 + 16], rbx
        inc  qword [rax + 8]            ; count
there:  ret
{% endif %}
