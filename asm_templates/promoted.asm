;! title    = "a promoted method through an interface: tail jump or a frame and a call, by release"
;! heap     = "iface"
;! types    = "main.Outer"
;! methods  = ["Add"]
;! params   = { go = ["1.27", "1.26", "1.25", "1.22", "1.19", "1.10"], embeds = ["pointer", "value", "interface", "direct"], order = "cyclic", objects = { default = 64, min = 1, max = 4096 } }
;! result   = "eax"
;! expect   = 42
;! dispatch = "site"
;! clobbers = "all"
;! expand   = true
;! source   = "beyond go-internals: methods of embedded types"

; A struct has the methods of what it embeds. For each the compiler writes a function that finds the
; embedded value and goes on to its method. Where the arguments can stay as they are it jumps there, and
; the method returns to the caller: `pointer` (a *Inner at offset 8) and `value` (an Inner at offset 8);
; but Go 1.21 to 1.23 make a frame and call. Where an interface is embedded (`interface`, at offset 8)
; it called up to Go 1.26 and jumps since. `direct` is a struct of nothing but a pointer, which stands in the
; interface itself: there it always calls. Go's itab names `main.Outer.Add` then, and its Outer is a pointer; here the
; function keeps the name that it has for the others, and the type the size.
;
; The objects are made in the setup: what an Outer embeds is written behind its first word.

{% import "go/frames.asm" as frames %}
{% set frame = go_minor <= 26 if embeds == "interface" else true if embeds == "direct" else 21 <= go_minor and go_minor <= 23 %}
{% set inner = "main.(*Inner).Add" %}
{% if embeds == "interface" %}
setup:                                  ; each Outer embeds an interface that holds an Inner
        lea  rax, ["object[0]"]
        lea  rcx, ["inner.itab"]
        mov  edx, {{ objects }}
fill:   mov  [rax + 8], rcx
        add  rax, 16
        dec  edx
        jne  fill
{% elif embeds == "pointer" %}
setup:                                  ; each Outer embeds a pointer, here to itself
        lea  rax, ["object[0]"]
        mov  edx, {{ objects }}
fill:   mov  [rax + 8], rax
        add  rax, 16
        dec  edx
        jne  fill
{% endif %}

body:                                   ; rax = itab, rbx = data
{% if abi == "register" %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  rax, rbx
        mov  ebx, 10
        mov  ecx, 32
site:   call rdx
{% else %}
        mov  rdx, [rax + 24]            ; itab.fun[0]
        mov  rcx, 0x200000000a          ; 10 and 32
        mov  [rsp + 8], rcx
        mov  [rsp], rbx
site:   call rdx
        mov  eax, [rsp + 16]
{% endif %}

func "main.(*Outer).Add":
{% if abi == "register" %}
{% if frame %}
{{ frames.enter(16) }}
{{ frames.panicking() }}
{% endif %}
inner:
{% if embeds == "pointer" %}
        mov  rax, [rax + 8]
{% elif embeds == "value" %}
        test [rax], al                  ; nil faults here, not at an address near 8
        add  rax, 8
{% elif embeds == "interface" %}
        mov  rdx, [rax + 8]             ; the embedded interface: its itab
        mov  rax, [rax + 16]            ; and its data
        mov  rdx, [rdx + 24]
{% endif %}
{% set to = "rdx" if embeds == "interface" else '"' ~ inner ~ '"' %}
{% if frame %}
        call {{ to }}
{{ frames.leave(16) }}
{{ frames.grow(["rax", "ebx", "ecx"]) }}
{{ frames.move_panic(16, "inner") }}
{% else %}
        jmp  {{ to }}
{% endif %}
{% elif not frame %}
        mov  rax, [rsp + 8]
{% if embeds == "pointer" %}
        mov  rax, [rax + 8]
{% else %}
        test [rax], al
        add  rax, 8
{% endif %}
        mov  [rsp + 8], rax             ; the embedded one takes the receiver's place
        mov  dword [rsp + 24], 0        ; the result
        jmp  "{{ inner }}"
{% else %}
{{ frames.enter(24) }}
{{ frames.panicking() }}
inner:  mov  rax, [rsp + 40]
{% if embeds == "interface" %}
        mov  rcx, [rax + 8]             ; the embedded interface: its itab
        mov  rax, [rax + 16]            ; and its data
        mov  rcx, [rcx + 24]
        mov  edx, [rsp + 48]            ; the arguments, one by one
        mov  [rsp + 8], edx
        mov  edx, [rsp + 52]
        mov  [rsp + 12], edx
        mov  [rsp], rax
        call rcx
{% else %}
        mov  [rsp], rax
        mov  eax, [rsp + 48]            ; the arguments, one by one
        mov  [rsp + 8], eax
        mov  eax, [rsp + 52]
        mov  [rsp + 12], eax
        call "{{ inner }}"
{% endif %}
        mov  eax, [rsp + 16]
        mov  [rsp + 56], eax
{{ frames.leave(24) }}
{{ frames.grow() }}
{{ frames.move_panic(24, "inner") }}
{% endif %}

func "{{ inner }}":
{% if abi == "register" %}
        lea  eax, [rbx + rcx]
{% else %}
        mov  eax, [rsp + 20]
        mov  ecx, [rsp + 16]
        add  eax, ecx
        mov  [rsp + 24], eax
{% endif %}
        ret

{% if embeds == "direct" %}
;! note the itab leads to what Go calls main.Outer.Add: its Outer is a pointer, and stands in the interface itself
{% endif %}

{% if embeds == "interface" %}
data "inner.itab":                      ; as far as a call reads it
        dq   0, 0, 0, "{{ inner }}"
{% endif %}
